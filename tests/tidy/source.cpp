// Reading the tree, and telling code from comments and literals.
#include "tests/tidy/source.hpp"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <regex>
#include <utility>

namespace ringwire::tidy {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// Walks over a text once and blanks what is not code. `at_` is always at code, outside every literal.
class Blanker {
 public:
  explicit Blanker(std::string_view text) : text_(text), out_(text) {}

  std::string run() {
    while (at_ < text_.size()) {
      if (starts_with("//")) {
        blank_until(std::min(text_.find('\n', at_), text_.size()));
      } else if (starts_with("/*")) {
        blank_until(after(text_.find("*/", at_ + 2), 2));
      } else if (starts_with("R\"") && (at_ == 0 || !is_word(text_[at_ - 1]))) {
        skip_raw_string();
      } else if (text_[at_] == '"') {
        skip_literal('"');
      } else if (text_[at_] == '\'' && !is_digit_separator()) {
        skip_literal('\'');
      } else {
        ++at_;
      }
    }
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool starts_with(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  // 1'000: between two digits or hexadecimal letters. A prefixed character (u'a') is not written here.
  [[nodiscard]] bool is_digit_separator() const {
    return at_ > 0 && std::isxdigit(static_cast<unsigned char>(text_[at_ - 1])) != 0;
  }

  [[nodiscard]] std::size_t after(std::size_t found, std::size_t size) const {
    return found == std::string_view::npos ? text_.size() : found + size;
  }

  void blank_until(std::size_t end) {
    for (; at_ < end; ++at_) {
      if (text_[at_] != '\n') out_[at_] = ' ';
    }
  }

  // The quotes stay, so that a call of f("…") still looks like one.
  void skip_literal(char quote) {
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n') end += text_[end] == '\\' ? 2 : 1;
    ++at_;
    blank_until(std::min(end, text_.size()));
    ++at_;
  }

  void skip_raw_string() {
    const std::size_t open = text_.find('(', at_);
    if (open == std::string_view::npos) return blank_until(text_.size());
    const std::string close = ")" + std::string(text_.substr(at_ + 2, open - at_ - 2)) + "\"";
    const std::size_t end = std::min(text_.find(close, open), text_.size());
    at_ += 2;
    blank_until(end == text_.size() ? end : end + close.size() - 1);
    ++at_;
  }

  std::string_view text_;
  std::string out_;
  std::size_t at_ = 0;
};

}  // namespace

std::string Source::folder() const {
  if (!in("lib/")) return "";
  const std::size_t slash = path.find('/', 4);
  return slash == std::string::npos ? "" : path.substr(4, slash - 4);
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string blank_comments_and_literals(std::string_view text) {
  return Blanker(text).run();
}

Source make_source(std::string path, const std::string& text) {
  return {std::move(path), split_lines(text), split_lines(blank_comments_and_literals(text))};
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<Source> read_tree(const std::filesystem::path& root, std::string_view folder,
                              const std::vector<std::string>& endings) {
  std::vector<Source> sources;
  if (!std::filesystem::exists(root / folder)) return sources;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
    const std::string path = std::filesystem::relative(entry.path(), root).generic_string();
    const bool wanted = std::any_of(endings.begin(), endings.end(),
                                    [&path](const std::string& ending) { return path.ends_with(ending); });
    if (entry.is_regular_file() && wanted) sources.push_back(make_source(path, read_text(entry.path())));
  }
  std::sort(sources.begin(), sources.end(), [](const Source& a, const Source& b) { return a.path < b.path; });
  return sources;
}

std::vector<Include> includes_of(const Source& source) {
  static const std::regex pattern(R"re(^\s*#\s*include\s*([<"])([^>"]+)[>"])re");
  std::vector<Include> includes;
  for (std::size_t i = 0; i < source.lines.size(); ++i) {
    std::smatch match;
    // The directive is looked for in the code, the name in the line: a name in quotes is a literal.
    if (source.code[i].find("include") == std::string::npos) continue;
    if (!std::regex_search(source.lines[i], match, pattern)) continue;
    includes.push_back({i + 1, match[1] == "<", match[2]});
  }
  return includes;
}

}  // namespace ringwire::tidy
