#include "store/saved_query/expression.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/taxonomy.h"

namespace racewatch::store {

struct BooleanQuery::Node {
  enum class Kind : uint8_t { kAnd, kOr, kNot, kTerm, kTheme, kTarget, kStance, kLean, kRelevant, kLanguage, kPublisher, kGroup };
  Kind kind = Kind::kTerm;
  std::vector<Node> children;             // kAnd, kOr, kNot
  std::optional<SearchTerm> term;         // kTerm
  bool in_title = true, in_text = true;   // kTerm
  size_t index = 0, position = 0;         // of a label in its set
  std::string publisher;                  // kPublisher, lower case

  bool Matches(const QuerySubject& subject) const;
  bool ReadsText() const {
    return kind == Kind::kTerm || std::any_of(children.begin(), children.end(), [](const Node& child) { return child.ReadsText(); });
  }
  void AppendCanonical(std::string* out) const;
};

bool BooleanQuery::Node::Matches(const QuerySubject& subject) const {
  const auto matches = [&subject](const Node& child) { return child.Matches(subject); };
  switch (kind) {
    case Kind::kAnd: return std::all_of(children.begin(), children.end(), matches);
    case Kind::kOr: return std::any_of(children.begin(), children.end(), matches);
    case Kind::kNot: return !children[0].Matches(subject);
    case Kind::kTerm: return (in_title && subject.title.Has(*term)) || (in_text && subject.text.Has(*term));
    case Kind::kTheme: return subject.labels.themes >> index & 1u;
    case Kind::kTarget: return subject.labels.positions[index] != 0;
    case Kind::kStance: return subject.labels.positions[index] == position + 1;
    case Kind::kLean: return subject.labels.lean == index + 1;
    case Kind::kRelevant: return subject.labels.relevant == (index == 1);
    case Kind::kLanguage: return subject.language == index;
    case Kind::kPublisher: return subject.publisher == publisher;
    case Kind::kGroup: return subject.group == index;
  }
  return false;
}

void BooleanQuery::Node::AppendCanonical(std::string* out) const {
  *out += '(' + std::to_string(static_cast<int>(kind));
  if (kind == Kind::kTerm) *out += std::string(in_title ? "t" : "") + (in_text ? "x" : "") + "[" + term->pattern() + "]";
  else if (kind == Kind::kTheme) *out += base::kThemes[index];
  else if (kind == Kind::kTarget) *out += base::kTargets[index];
  else if (kind == Kind::kStance) *out += std::string(base::kTargets[index]) + ":" + std::string(base::kPositions[position]);
  else if (kind == Kind::kLean) *out += base::kLeans[index];
  else if (kind == Kind::kLanguage) *out += base::kLanguages[index];
  else if (kind == Kind::kGroup) *out += base::kPublisherGroups[index];
  else if (kind == Kind::kRelevant) *out += index == 1 ? "yes" : "no";
  else if (kind == Kind::kPublisher) *out += publisher;
  for (const Node& child : children) child.AppendCanonical(out);
  *out += ')';
}

namespace {

struct Token {
  enum class Kind : uint8_t { kEnd, kOpen, kClose, kAnd, kOr, kNot, kWord, kPhrase };
  Kind kind = Kind::kEnd;
  size_t at = 0;           // byte offset
  std::string_view field;  // before the colon; empty: none
  std::string_view value;  // word, or what stands between the quotes
};

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The length of a quotation mark at `at`, straight or curly; 0: there is none.
size_t QuoteAt(std::string_view text, size_t at) {
  if (text.substr(at, 1) == "\"") return 1;
  const auto three = text.substr(at, 3);
  return three == "\xe2\x80\x9c" || three == "\xe2\x80\x9d" || three == "\xe2\x80\x9e" ? 3 : 0;
}

std::string LowerCase(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

}  // namespace

class QueryParser {
 public:
  explicit QueryParser(std::string_view text) : text_(text) {}

  base::Result<BooleanQuery> Parse() {
    RW_RETURN_IF_ERROR(Advance());
    RW_ASSIGN_OR_RETURN(Node root, Or());
    if (token_.kind == Token::Kind::kClose) return Error(token_.at, "')' without '(' before it");
    BooleanQuery query;
    query.root_ = std::make_shared<const Node>(std::move(root));
    return query;
  }

 private:
  using Node = BooleanQuery::Node;
  using Kind = Node::Kind;

  base::Status Error(size_t at, const std::string& what) const {
    size_t column = 1;
    for (const char c : text_.substr(0, at)) column += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    return base::InvalidArgument("column " + std::to_string(column) + ": " + what);
  }
  std::string Shown() const {
    if (token_.kind == Token::Kind::kEnd) return "the end";
    if (token_.kind == Token::Kind::kOpen) return "'('";
    if (token_.kind == Token::Kind::kClose) return "')'";
    return "'" + std::string(token_.value) + "'";
  }

  base::Status Advance();
  base::Status ReadPhrase(size_t quote);
  base::Result<Node> Or();
  base::Result<Node> And();
  base::Result<Node> Not();
  base::Result<Node> Primary();
  base::Result<Node> Leaf();
  base::Result<Node> TermNode(const Token& token, bool in_title, bool in_text);
  template <size_t N>
  base::Result<Node> LabelNode(Kind kind, const Token& token, const std::array<std::string_view, N>& set) const;
  base::Result<Node> StanceNode(const Token& token) const;

  const std::string_view text_;
  size_t next_ = 0;
  Token token_;
  size_t terms_ = 0, depth_ = 0;
};

base::Status QueryParser::ReadPhrase(size_t quote) {
  const size_t start = next_ + quote;
  for (size_t end = start; end < text_.size(); ++end) {
    const size_t closing = QuoteAt(text_, end);
    if (closing == 0) continue;
    token_.kind = Token::Kind::kPhrase;
    token_.value = text_.substr(start, end - start);
    next_ = end + closing;
    return {};
  }
  return Error(next_, "the quotation mark is never closed");
}

base::Status QueryParser::Advance() {
  while (next_ < text_.size() && IsSpace(text_[next_])) ++next_;
  token_ = {};
  token_.at = next_;
  if (next_ == text_.size()) return {};
  if (const char c = text_[next_]; c == '(' || c == ')') {
    token_.kind = c == '(' ? Token::Kind::kOpen : Token::Kind::kClose;
    ++next_;
    return {};
  }
  if (const size_t quote = QuoteAt(text_, next_)) return ReadPhrase(quote);
  const size_t start = next_;
  while (next_ < text_.size() && !IsSpace(text_[next_]) && text_[next_] != '(' && text_[next_] != ')' && QuoteAt(text_, next_) == 0) ++next_;
  const std::string_view word = text_.substr(start, next_ - start);
  token_.kind = Token::Kind::kWord;
  token_.value = word;
  if (word == "AND") token_.kind = Token::Kind::kAnd;
  if (word == "OR") token_.kind = Token::Kind::kOr;
  if (word == "NOT") token_.kind = Token::Kind::kNot;
  const size_t colon = word.find(':');
  if (token_.kind != Token::Kind::kWord || colon == std::string_view::npos) return {};
  token_.field = word.substr(0, colon);
  token_.value = word.substr(colon + 1);
  if (!token_.value.empty()) return {};
  // field:"a phrase"
  const size_t quote = next_ < text_.size() ? QuoteAt(text_, next_) : 0;
  if (quote == 0) return Error(start, "nothing stands after '" + std::string(word) + "'");
  return ReadPhrase(quote);
}

base::Result<BooleanQuery::Node> QueryParser::Or() {
  RW_ASSIGN_OR_RETURN(Node first, And());
  if (token_.kind != Token::Kind::kOr) return first;
  Node out{.kind = Kind::kOr};
  out.children.push_back(std::move(first));
  while (token_.kind == Token::Kind::kOr) {
    RW_RETURN_IF_ERROR(Advance());
    RW_ASSIGN_OR_RETURN(Node next, And());
    out.children.push_back(std::move(next));
  }
  return out;
}

base::Result<BooleanQuery::Node> QueryParser::And() {
  RW_ASSIGN_OR_RETURN(Node first, Not());
  Node out{.kind = Kind::kAnd};
  out.children.push_back(std::move(first));
  while (token_.kind != Token::Kind::kEnd && token_.kind != Token::Kind::kClose && token_.kind != Token::Kind::kOr) {
    if (token_.kind == Token::Kind::kAnd) RW_RETURN_IF_ERROR(Advance());
    RW_ASSIGN_OR_RETURN(Node next, Not());
    out.children.push_back(std::move(next));
  }
  if (out.children.size() == 1) return std::move(out.children.front());
  return out;
}

base::Result<BooleanQuery::Node> QueryParser::Not() {
  bool negated = false;
  while (token_.kind == Token::Kind::kNot) {
    negated = !negated;
    RW_RETURN_IF_ERROR(Advance());
  }
  RW_ASSIGN_OR_RETURN(Node inner, Primary());
  if (!negated) return inner;
  Node out{.kind = Kind::kNot};
  out.children.push_back(std::move(inner));
  return out;
}

base::Result<BooleanQuery::Node> QueryParser::Primary() {
  if (token_.kind == Token::Kind::kWord || token_.kind == Token::Kind::kPhrase) return Leaf();
  if (token_.kind != Token::Kind::kOpen)
    return Error(token_.at, "a word, a phrase, a field or '(' is expected, not " + Shown());
  const size_t open = token_.at;
  if (++depth_ > BooleanQuery::kDepthMax) return Error(open, "more than " + std::to_string(BooleanQuery::kDepthMax) + " parentheses in one another");
  RW_RETURN_IF_ERROR(Advance());
  RW_ASSIGN_OR_RETURN(Node inner, Or());
  if (token_.kind != Token::Kind::kClose) return Error(open, "this parenthesis is never closed");
  --depth_;
  RW_RETURN_IF_ERROR(Advance());
  return inner;
}

base::Result<BooleanQuery::Node> QueryParser::Leaf() {
  const Token token = token_;
  if (++terms_ > BooleanQuery::kTermsMax) return Error(token.at, "more than " + std::to_string(BooleanQuery::kTermsMax) + " terms");
  RW_RETURN_IF_ERROR(Advance());
  const std::string_view field = token.field;
  if (field.empty() || field == "title" || field == "text") return TermNode(token, field != "text", field != "title");
  if (field == "theme") return LabelNode(Kind::kTheme, token, base::kThemes);
  if (field == "target") return LabelNode(Kind::kTarget, token, base::kTargets);
  if (field == "stance") return StanceNode(token);
  if (field == "lean") return LabelNode(Kind::kLean, token, base::kLeans);
  if (field == "language") return LabelNode(Kind::kLanguage, token, base::kLanguages);
  if (field == "group") return LabelNode(Kind::kGroup, token, base::kPublisherGroups);
  if (field == "relevant") return LabelNode(Kind::kRelevant, token, std::array<std::string_view, 2>{"no", "yes"});
  if (field == "publisher") return Node{.kind = Kind::kPublisher, .publisher = LowerCase(token.value)};
  return Error(token.at, "unknown field '" + std::string(field) +
                             "'; known are title, text, theme, target, stance, lean, relevant, language, publisher, group");
}

base::Result<BooleanQuery::Node> QueryParser::TermNode(const Token& token, bool in_title, bool in_text) {
  std::string_view word = token.value;
  const bool phrase = token.kind == Token::Kind::kPhrase;
  // Not what other search boxes take them for: say so rather than search for something else.
  if (!phrase && token.field.empty()) {
    const std::string lower = LowerCase(word);
    if (lower == "and" || lower == "or" || lower == "not")
      return Error(token.at, "write " + (lower == "and" ? std::string("AND") : lower == "or" ? "OR" : "NOT") + " in capitals, or \"" + lower + "\" for the word");
    if (word.starts_with('-') || word.starts_with('+')) return Error(token.at, "'" + std::string(word) + "': write NOT to leave out what has a word");
  }
  const bool prefix = !phrase && word.ends_with('*');
  if (prefix) word.remove_suffix(1);
  if (!phrase && word.find('*') != std::string_view::npos) return Error(token.at, "'*' stands at the end of a word only");
  SearchTerm term(word, prefix);
  if (term.empty()) return Error(token.at, "'" + std::string(token.value) + "' has neither letter nor digit");
  if (prefix && term.pattern().size() < 3) return Error(token.at, "a prefix needs at least two letters");
  return Node{.kind = Kind::kTerm, .term = std::move(term), .in_title = in_title, .in_text = in_text};
}

template <size_t N>
base::Result<BooleanQuery::Node> QueryParser::LabelNode(Kind kind, const Token& token, const std::array<std::string_view, N>& set) const {
  if (const auto index = base::IndexOf(set, token.value)) return Node{.kind = kind, .index = *index};
  std::string known;
  for (const auto name : set) known.append(known.empty() ? "" : ", ").append(name);
  return Error(token.at, "unknown " + std::string(token.field) + " '" + std::string(token.value) + "'; known are " + known);
}

base::Result<BooleanQuery::Node> QueryParser::StanceNode(const Token& token) const {
  const size_t colon = token.value.find(':');
  const auto target = base::IndexOf(base::kTargets, token.value.substr(0, colon));
  const auto position =
      colon == std::string_view::npos ? std::nullopt : base::IndexOf(base::kPositions, token.value.substr(colon + 1));
  if (!target || !position)
    return Error(token.at, "'" + std::string(token.value) + "' is no stance; like stance:export_controls:favor");
  return Node{.kind = Kind::kStance, .index = *target, .position = *position};
}

base::Result<BooleanQuery> BooleanQuery::Parse(std::string_view expression) {
  if (expression.size() > kBytesMax) return base::InvalidArgument("column 1: more than " + std::to_string(kBytesMax) + " bytes");
  return QueryParser(expression).Parse();
}

bool BooleanQuery::Matches(const QuerySubject& subject) const { return root_->Matches(subject); }
bool BooleanQuery::reads_text() const { return root_->ReadsText(); }

uint64_t BooleanQuery::fingerprint() const {
  std::string canonical = "1";  // the version of what words mean
  root_->AppendCanonical(&canonical);
  return XXH3_64bits(canonical.data(), canonical.size());
}

}  // namespace racewatch::store
