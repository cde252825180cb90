// The shape of a file: lengths, functions, documentation. One walk over the braces serves all three.
#include "tests/tidy/rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <map>
#include <regex>

namespace ringwire::tidy {
namespace {

enum class Scope { space, type, enumerators, function, other };

// A statement or the head of a block, seen where it ends.
struct Piece {
  std::string text;       // Without preprocessor lines; one line.
  std::size_t begin = 0;  // Index of its first line.
  std::size_t end = 0;    // Index of the line of its `;` or of its block's `}`.
  bool has_body = false;
  Scope scope = Scope::space;   // What it opens, when it has a body.
  Scope around = Scope::space;  // Where it stands.
  bool visible = true;          // In namespaces that have a name, and in public parts only.
  std::string space{};          // The namespaces around it; an unnamed one is "{}".
  std::string inside{};         // What stands between the braces of an enum.
};

struct Open {
  Piece piece;
  bool is_public = true;
  bool visible = true;
};

// Making a pattern takes far longer than using it, so each is made once.
bool matches(const std::string& text, const char* pattern) {
  static std::map<const char*, std::regex> made;
  const auto found = made.find(pattern);
  if (found != made.end()) return std::regex_search(text, found->second);
  return std::regex_search(text, made.emplace(pattern, pattern).first->second);
}

std::string squeeze(const std::string& text) {
  static const std::regex spaces(R"(\s+)");
  const std::string one = std::regex_replace(text, spaces, " ");
  return one.starts_with(' ') ? one.substr(1) : one;
}

// Walks the code of one file. Statements in function bodies are passed over.
class Walker {
 public:
  explicit Walker(const Source& source) : source_(source) {}

  std::vector<Piece> run() {
    bool continued = false;
    for (line_ = 0; line_ < source_.code.size(); ++line_) {
      const std::string& code = source_.code[line_];
      const std::size_t first = code.find_first_not_of(' ');
      const bool directive = continued || (first != std::string::npos && code[first] == '#');
      continued = directive && code.ends_with('\\');
      if (directive) continue;
      for (const char c : code) step(c);
      if (!text_.empty()) text_ += ' ';
    }
    std::sort(pieces_.begin(), pieces_.end(),
              [](const Piece& a, const Piece& b) { return a.begin < b.begin; });
    return std::move(pieces_);
  }

 private:
  [[nodiscard]] Scope scope() const { return open_.empty() ? Scope::space : open_.back().piece.scope; }
  [[nodiscard]] bool in_container() const { return scope() == Scope::space || scope() == Scope::type; }

  void step(char c) {
    if (c == '(') ++round_;
    if (c == ')') --round_;
    if (c == '{') return enter();
    if (c == '}') return leave();
    if (c == ';' && round_ == 0) {
      if (in_container() && !text_.empty()) pieces_.push_back(piece(false));
      text_.clear();
      return;
    }
    if (c == ':' && scope() == Scope::type && access()) return;
    if (text_.empty() && c == ' ') return;
    if (text_.empty()) begin_ = line_;
    text_ += c;
  }

  // "public:" and its like.
  bool access() {
    const std::string word = squeeze(text_);
    if (word != "public" && word != "protected" && word != "private") return false;
    open_.back().is_public = word == "public";
    text_.clear();
    return true;
  }

  Piece piece(bool has_body) const {
    Piece result{squeeze(text_), begin_, line_, has_body, Scope::other, scope(), true};
    result.visible = open_.empty() || (open_.back().visible && open_.back().is_public);
    if (!open_.empty()) result.space = open_.back().piece.space;
    return result;
  }

  // What a block is, by the text before it.
  [[nodiscard]] Scope kind(const std::string& head) const {
    if (!in_container() || round_ > 0) return Scope::other;
    if (matches(head, R"(^(inline )?namespace\b|^extern "\s*")")) return Scope::space;
    if (matches(head, R"(\benum\b)")) return Scope::enumerators;
    const bool type = matches(head, R"(^(template ?<.*> ?)?(class|struct|union)\b)");
    if (type && !matches(head, R"(\)\s*(const|noexcept|override)*\s*$)")) {
      return Scope::type;
    }
    if (head.find('(') == std::string::npos || matches(head, R"([=,]\s*$)")) return Scope::other;
    // A constructor's list of members: `: a_{1}, b_{2} {`. A brace after a name there starts no body.
    const bool list = matches(head, R"(\)\s*(noexcept\s*)?:(?!:))");
    if (list && matches(head, R"([\w>]\s*$)") && !matches(head, R"(\b(noexcept|try)\s*$)"))
      return Scope::other;
    return Scope::function;
  }

  void enter() {
    if (text_.empty()) begin_ = line_;
    Open open;
    open.piece = piece(true);
    open.piece.scope = kind(open.piece.text);
    const std::string& head = open.piece.text;
    // An unnamed namespace shows nothing to anybody.
    const bool unnamed = open.piece.scope == Scope::space && matches(head, R"(^namespace$|^namespace $)");
    if (open.piece.scope == Scope::space)
      open.piece.space += unnamed ? "{}" : head.substr(head.find(' ') + 1);
    open.visible = open.piece.visible && !unnamed;
    open.is_public = !matches(head, R"(\bclass \w)") || open.piece.scope != Scope::type;
    rounds_.push_back(round_);
    round_ = 0;
    open_.push_back(open);
    if (open.piece.scope != Scope::other || !in_outer_container()) text_.clear();
  }

  // Does the block just opened stand in a namespace or class?
  [[nodiscard]] bool in_outer_container() const {
    return open_.back().piece.around == Scope::space || open_.back().piece.around == Scope::type;
  }

  void leave() {
    if (open_.empty()) return;
    Piece closed = open_.back().piece;
    closed.end = line_;
    open_.pop_back();
    round_ = rounds_.back();
    rounds_.pop_back();
    if (closed.around != Scope::space && closed.around != Scope::type) return text_.clear();
    if (closed.scope == Scope::other) {
      // An initialiser: the statement goes on behind it.
      text_ = closed.text + "{}";
      begin_ = closed.begin;
      return;
    }
    if (closed.scope == Scope::enumerators) closed.inside = text_;
    pieces_.push_back(closed);
    text_.clear();
  }

  const Source& source_;
  std::vector<Piece> pieces_;
  std::vector<Open> open_;
  std::vector<int> rounds_;
  std::string text_;
  std::size_t begin_ = 0;
  std::size_t line_ = 0;
  int round_ = 0;
};

// Needs no words: what every class has, what is explained elsewhere, what only mentions a name.
bool speaks_for_itself(const Piece& piece) {
  static const char* const always[] = {
      R"(= (default|delete)$)",
      R"(\boverride\b|\bfinal\b.*\))",  // Explained in the base class.
      R"(^friend\b|^static_assert\b|^using [\w:]+$|^extern\b|^namespace \w+ =)",
      R"(^(template ?<.*> ?)?(class|struct|enum( class)?|union) [\w:]+$)",  // A forward declaration.
      R"(^template ?<> ?struct std::)",  // A trait for the standard library.
      R"(~\w+ ?\()",
      R"(\boperator=(?!=))",
      R"(^(explicit |constexpr )*(\w+) ?\((const )?\2 ?&&? ?\w*\))",  // Copy and move.
      R"(^(explicit |constexpr )*(\w+) ?\(std::nullptr_t\))",
  };
  // Defined out of its class, where it is declared and explained.
  if (piece.around == Scope::space && matches(piece.text, R"(^[^(]*\w::~?\w+ ?\()")) return true;
  return std::any_of(std::begin(always), std::end(always),
                     [&](const char* pattern) { return matches(piece.text, pattern); });
}

bool is_data_member(const Piece& piece) {
  if (piece.around != Scope::type || piece.has_body) return false;
  const std::string declarator =
      std::regex_replace(piece.text, std::regex(R"(=.*|\{\}.*|alignas ?\([^)]*\))"), "");
  return declarator.find('(') == std::string::npos &&
         !matches(piece.text, R"(^(template|using|struct|class|enum)\b)");
}

// The line above is a `///`; a blank comment or an attribute may not come between.
bool documented(const Source& source, std::size_t line) {
  if (source.lines[line].find("///") != std::string::npos) return true;
  if (line == 0) return false;
  const std::string& above = source.lines[line - 1];
  const std::size_t first = above.find_first_not_of(' ');
  return first != std::string::npos && above.substr(first).starts_with("///");
}

std::size_t columns(const std::string& line) {
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; };
  return line.size() - static_cast<std::size_t>(std::count_if(line.begin(), line.end(), continues));
}

}  // namespace

std::vector<Finding> check_columns(const Source& source) {
  std::vector<Finding> findings;
  for (std::size_t i = 0; i < source.lines.size(); ++i) {
    const std::size_t count = columns(source.lines[i]);
    if (count > columns_max)
      findings.push_back({source.path, i + 1, fmt::format("{} columns; at most {}", count, columns_max)});
  }
  return findings;
}

std::vector<Finding> check_file_length(const Source& source, std::size_t lines_max) {
  if (source.lines.size() <= lines_max) return {};
  return {{source.path, lines_max + 1,
           fmt::format("{} lines; at most {}: cut it in two", source.lines.size(), lines_max)}};
}

std::vector<FunctionSpan> functions_of(const Source& source) {
  static const std::regex name(R"(([\w:~]+|operator[^(]*)\s*\()");
  std::vector<FunctionSpan> functions;
  for (const Piece& piece : Walker(source).run()) {
    if (piece.scope != Scope::function || !piece.has_body) continue;
    std::smatch match;
    const bool found = std::regex_search(piece.text, match, name);
    functions.push_back({piece.begin + 1, piece.end - piece.begin + 1, found ? match[1].str() : ""});
  }
  return functions;
}

std::vector<HiddenName> hidden_names_of(const Source& source) {
  static const std::regex macro(R"(^(static_assert|[A-Z][A-Z_]+)\b)");
  static const std::regex type(R"(^(?:template ?<.*> ?)?(?:class|struct|union|enum(?: class)?) (\w+))");
  static const std::regex enumerator(R"((\w+) ?(?:=[^,]*)?(?:,|$))");
  static const std::regex function(R"(^[^=]*?(\w+|operator[^(]*) ?\((.*)\))");
  static const std::regex parameter(R"(([\w>&*]) ?\b\w+ ?(?:=[^,]*)?(,|$))");
  static const std::regex value(R"((\w+) ?(?:\[[^=]*\] ?)*(?:=.*|\{\}.*)?$)");
  std::vector<HiddenName> names;
  for (const Piece& piece : Walker(source).run()) {
    const std::string& text = piece.text;
    const bool hidden = piece.around == Scope::space && piece.space.ends_with("{}");
    if (!hidden || piece.scope == Scope::space || std::regex_search(text, macro)) continue;
    const auto add = [&](const std::string& name, const std::string& types = "") {
      names.push_back({piece.begin + 1, piece.space + name, types});
    };
    std::smatch match;
    if (std::regex_search(text, match, type)) {
      if (piece.has_body) add(match[1]);
      if (text.starts_with("enum class")) continue;
      const auto begin = piece.inside.begin();
      for (std::sregex_iterator one{begin, piece.inside.end(), enumerator}; one != std::sregex_iterator{};
           ++one)
        add((*one)[1]);
    } else if (std::regex_search(text, match, function)) {
      add(match[1], "(" + std::regex_replace(match[2].str(), parameter, "$1$2") + ")");
    } else if (!text.starts_with("using ") && std::regex_search(text, match, value)) {
      add(match[1]);
    }
  }
  return names;
}

std::vector<Finding> check_function_length(const Source& source) {
  std::vector<Finding> findings;
  for (const FunctionSpan& function : functions_of(source)) {
    if (function.lines_count <= function_lines_max) continue;
    findings.push_back({source.path, function.line,
                        fmt::format("{} has {} lines; at most {}: leave the branches, move the work out",
                                    function.name, function.lines_count, function_lines_max)});
  }
  return findings;
}

std::vector<Finding> check_documented(const Source& source) {
  std::vector<Finding> findings;
  for (const Piece& piece : Walker(source).run()) {
    const bool container = piece.scope == Scope::space && piece.has_body;
    if (!piece.visible || container || speaks_for_itself(piece) || is_data_member(piece)) continue;
    if (documented(source, piece.begin)) continue;
    findings.push_back(
        {source.path, piece.begin + 1, fmt::format("no /// above: {}", piece.text.substr(0, 60))});
  }
  return findings;
}

std::vector<Finding> check_opening(const Source& source) {
  if (source.lines.empty() || !source.lines.front().starts_with("// ")) {
    return {{source.path, 1,
             "the file must open with what it owns, what it leaves to others, and the invariant"}};
  }
  if (!source.is_header()) return {};
  const auto code = std::find_if(source.lines.begin(), source.lines.end(), [](const std::string& line) {
    return !line.empty() && !line.starts_with("//");
  });
  if (code != source.lines.end() && *code == "#pragma once") return {};
  return {{source.path, static_cast<std::size_t>(code - source.lines.begin()) + 1,
           "#pragma once must come first"}};
}

double Density::per_thousand() const {
  return code_lines == 0 ? 0.0 : 1000.0 * static_cast<double>(assertions) / static_cast<double>(code_lines);
}

std::map<std::string, Density> assertion_density(const std::vector<Source>& sources) {
  static const std::regex assertion(R"(\b(RINGWIRE_ASSERT|RINGWIRE_REQUIRE|static_assert)\s*\()");
  std::map<std::string, Density> folders;
  for (const Source& source : sources) {
    Density& density = folders[source.folder()];
    for (const std::string& code : source.code) {
      if (code.find_first_not_of(' ') == std::string::npos) continue;
      ++density.code_lines;
      if (code.find("#define") == std::string::npos && std::regex_search(code, assertion))
        ++density.assertions;
    }
  }
  return folders;
}

}  // namespace ringwire::tidy
