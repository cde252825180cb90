// The page and the refusals. See http.hpp.
#include "http.hpp"

#include "page.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/span_body.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/verb.hpp>

#include <string>
#include <utility>

namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

constexpr unsigned http_1_1 = 11;

std::string_view path_of(const Request& request) {
  const std::string_view target(request.target().data(), request.target().size());
  return target.substr(0, target.find('?'));
}

void set_common(http::fields& fields) {
  fields.set(http::field::server, "ringwire");
  fields.set("X-Content-Type-Options", "nosniff");
  fields.set("Referrer-Policy", "no-referrer");
}

http::response<http::string_body> text(http::status status, std::string_view line) {
  http::response<http::string_body> response(status, http_1_1);
  set_common(response);
  response.set(http::field::content_type, "text/plain; charset=utf-8");
  response.body() = std::string(line) + "\n";
  response.prepare_payload();
  return response;
}

http::response<http::span_body<const char>> page() {
  http::response<http::span_body<const char>> response(http::status::ok, http_1_1);
  set_common(response);
  response.set(http::field::content_type, "text/html; charset=utf-8");
  response.set(http::field::cache_control, "no-cache");
  response.set("Content-Security-Policy", beast::string_view(page_policy.data(), page_policy.size()));
  response.body() = {page_html.data(), page_html.size()};
  response.prepare_payload();
  return response;
}

// HEAD gets the head of the same answer: content-length included, content left out.
template <typename Response>
http::message_generator finish(const Request& request, Response response) {
  response.keep_alive(request.keep_alive());
  if (request.method() != http::verb::head) return response;
  http::response<http::empty_body> head(static_cast<http::response_header<>&&>(response));
  return head;
}

}  // namespace

bool takes_websocket(const Request& request) {
  const std::string_view path = path_of(request);
  return path == "/" || path == "/echo";
}

http::message_generator answer(const Request& request) {
  if (!takes_websocket(request)) {
    return finish(request, text(http::status::not_found, "Nothing here. The page is at /."));
  }
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    auto response = text(http::status::method_not_allowed, "Only GET and HEAD.");
    response.set(http::field::allow, "GET, HEAD");
    return finish(request, std::move(response));
  }
  if (path_of(request) == "/echo") {
    auto response = text(http::status::upgrade_required, "This is a websocket; the page is at /.");
    response.set(http::field::upgrade, "websocket");
    return finish(request, std::move(response));
  }
  return finish(request, page());
}

http::message_generator refuse(http::status status, std::string_view why) {
  auto response = text(status, why);
  response.keep_alive(false);
  return response;
}
