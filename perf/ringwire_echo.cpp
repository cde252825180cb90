// The ringwire echo server the evidence is taken from.
//
// Leaves to others: questions (asked.hpp), the load (perf/load) and the judgement (perf/evidence).
#include "asked.hpp"

namespace {

struct Echo : perf::Asked {
  ringwire::Action on_traffic(ringwire::Conn& conn) override {
    conn.write(conn.next());
    return ringwire::Action::none;
  }
  ringwire::Action on_datagram(ringwire::Datagram& datagram) override {
    datagram.reply(datagram.bytes());
    return ringwire::Action::none;
  }
};

bool parse(int count, char** words, std::string& address, ringwire::Options& options) {
  for (int index = 1; index < count; index += 2) {
    if (index + 1 == count) return false;
    const std::string_view name{words[index]};
    const std::string_view value{words[index + 1]};
    if (name == "--port") {
      address = "tcp://127.0.0.1:" + std::string{value};
    } else if (name == "--udp") {
      address = "udp://127.0.0.1:" + std::string{value};
    } else if (name == "--unix") {
      address = "unix://" + std::string{value};
    } else if (name == "--loops") {
      options.loops = std::strtoul(words[index + 1], nullptr, 10);
    } else if (name == "--recv-buffers") {
      options.recv_buffers_count = std::strtoul(words[index + 1], nullptr, 10);
    } else if (name == "--recv-buffer-size") {
      options.recv_buffer_size = std::strtoul(words[index + 1], nullptr, 10);
    } else if (name == "--balancing" && value == "round_robin") {
      options.balancing = ringwire::Balancing::round_robin;
    } else if (name == "--balancing" && value == "least_connections") {
      options.balancing = ringwire::Balancing::least_connections;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int count, char** words) {
  std::string address = "tcp://127.0.0.1:0";
  ringwire::Options options;
  if (!parse(count, words, address, options)) {
    std::cerr << "usage: ringwire_echo [--port N | --udp N | --unix PATH] [--loops N]\n"
                 "                     [--recv-buffers COUNT] [--recv-buffer-size BYTES]\n"
                 "                     [--balancing round_robin|least_connections]\n";
    return 2;
  }
  Echo echo;
  return perf::serve(echo, address, options);
}
