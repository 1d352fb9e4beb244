#include "store/corrections.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>
#include <vector>

#include "base/taxonomy.h"
#include "racewatch/v1/store_service.pb.h"
#include "racewatch/v1/tagged_article.pb.h"
#include "store/article_lookup.h"
#include "store/article_row.h"
#include "store/codec.h"
#include "store/generation_engine.h"

namespace racewatch::store {
namespace {

// The rows of Table::kCorrection, by the first byte of their key.
constexpr char kByArticle = 'a';   // article id → the numbers of its corrections
constexpr char kRecord = 'c';      // number → v1.Correction
constexpr char kLastNumber[] = "n";
constexpr char kByUrl = 'u';       // UrlKey → article id: addresses outlive Table::kUrl, so that a takedown finds them

constexpr int kTries = 20;  // against others who write the same rows at the same moment
constexpr size_t kReaderBytesMax = 100;
constexpr size_t kNoteBytesMax = 2000;
constexpr size_t kPageDefault = 50, kPageMax = 500;
constexpr size_t kPageBytesMax = 3u << 20;  // clients of gRPC take 4 MiB

std::string ArticleKey(std::string_view id) { return std::string(1, kByArticle).append(id); }
std::string RecordKey(uint64_t number) { return std::string(1, kRecord) + SequenceKey(number); }
std::string AddressKey(const std::string& url) { return std::string(1, kByUrl) + UrlKey(url); }

std::string Numbers(const std::vector<uint64_t>& numbers) {
  std::string out;
  for (const uint64_t number : numbers) AppendVarint(&out, number);
  return out;
}

base::Result<std::vector<uint64_t>> ReadNumbers(const std::optional<std::string>& stored) {
  std::vector<uint64_t> numbers;
  if (!stored) return numbers;
  Reader in(*stored);
  while (in.ok() && !in.done()) numbers.push_back(in.Varint());
  if (!in.ok()) return base::DataLoss("corrections of an article: damaged");
  return numbers;
}

base::Result<v1::Correction> ReadRecord(const View& view, uint64_t number) {
  RW_ASSIGN_OR_RETURN(const auto stored, view.Get(Table::kCorrection, RecordKey(number)));
  v1::Correction correction;
  if (!stored || !correction.ParseFromString(*stored)) return base::DataLoss("correction " + std::to_string(number) + ": missing or damaged");
  return correction;
}

bool HasControls(const std::string& text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

base::Status CheckReader(const v1::AddCorrectionRequest& request) {
  if (request.reader().find_first_not_of(' ') == std::string::npos) return base::InvalidArgument("reader: the name of who read the article is needed");
  if (request.reader().size() > kReaderBytesMax || HasControls(request.reader()))
    return base::InvalidArgument("reader: at most " + std::to_string(kReaderBytesMax) + " bytes without control characters");
  if (request.note().size() > kNoteBytesMax) return base::InvalidArgument("note: at most " + std::to_string(kNoteBytesMax) + " bytes");
  return {};
}

// One of the first `usable` names of `set`; readers do not answer `unsure`.
template <typename Set>
base::Status CheckName(const std::string& field, const Set& set, size_t usable, const std::string& name) {
  std::string known;
  for (size_t i = 0; i < usable; ++i) {
    if (set[i] == name) return {};
    known.append(known.empty() ? "" : ", ").append(set[i]);
  }
  return base::InvalidArgument(field + ": '" + name.substr(0, 60) + "' is none; known are " + known);
}

void SetMs(google::protobuf::Timestamp* field, base::UnixMs ms) {
  field->set_seconds(ms / 1000);
  field->set_nanos(static_cast<int32_t>(ms % 1000) * 1'000'000);
}

// What is kept of the article as it was read.
void FillFromArticle(v1::TaggedArticle* read, v1::Correction* out) {
  v1::Article* article = read->mutable_article();
  out->set_article_id(article->id());
  out->set_title(article->title());
  out->set_text(article->text());
  out->set_language(article->language().empty() ? read->tags().language() : article->language());
  out->set_publisher(article->publisher());
  out->set_url(article->canonical_url().empty() ? article->url() : article->canonical_url());
  *out->mutable_tags() = std::move(*read->mutable_tags());
}

}  // namespace

base::Status CheckLabels(const v1::Labels& labels) {
  constexpr size_t kPositionsOfReaders = 3, kLeansOfReaders = 3;
  static_assert(base::kPositions[kPositionsOfReaders] == "unsure" && base::kLeans[kLeansOfReaders] == "unsure");
  if (!labels.relevant()) {
    if (labels.themes_size() == 0 && labels.stance().empty() && labels.lean().empty()) return {};
    return base::InvalidArgument("labels: themes, stance and lean are empty when the article is not relevant");
  }
  std::set<std::string> seen;
  for (const std::string& theme : labels.themes()) {
    RW_RETURN_IF_ERROR(CheckName("labels.themes", base::kThemes, base::kThemes.size(), theme));
    if (!seen.insert(theme).second) return base::InvalidArgument("labels.themes: '" + theme + "' is given twice");
  }
  for (const auto& [target, position] : labels.stance()) {
    RW_RETURN_IF_ERROR(CheckName("labels.stance", base::kTargets, base::kTargets.size(), target));
    RW_RETURN_IF_ERROR(CheckName("labels.stance." + target, base::kPositions, kPositionsOfReaders, position));
  }
  return CheckName("labels.lean", base::kLeans, kLeansOfReaders, labels.lean());
}

base::Status Corrections::Add(const v1::AddCorrectionRequest& request, v1::AddCorrectionResponse* response) {
  RW_RETURN_IF_ERROR(CheckReader(request));
  RW_RETURN_IF_ERROR(CheckLabels(request.labels()));
  base::Status status;
  for (int i = 0; i < kTries; ++i) {
    status = AddOnce(request, response);
    if (status.code() != base::Code::kAborted) break;
  }
  return status;
}

base::Status Corrections::AddOnce(const v1::AddCorrectionRequest& request, v1::AddCorrectionResponse* response) {
  const auto view = whole_.Snapshot();
  RW_ASSIGN_OR_RETURN(const auto generations_row, view->Get(Table::kMeta, kGenerationsKey));
  RW_ASSIGN_OR_RETURN(const Generations generations, Generations::Decode(generations_row));
  const GenerationView active(*view, generations.active);
  RW_ASSIGN_OR_RETURN(const std::string id, ResolveArticle(active, request.article()));
  RW_ASSIGN_OR_RETURN(const auto article_row, active.Get(Table::kArticle, id));
  RW_ASSIGN_OR_RETURN(const auto detail, active.Get(Table::kDetail, id));
  if (!article_row || !detail) return base::NotFound("article '" + request.article().substr(0, 200) + "': the store does not hold it");
  RW_ASSIGN_OR_RETURN(const ArticleRow row, ArticleRow::Decode(*article_row));
  if (row.redacted) return base::NotFound("article '" + request.article().substr(0, 200) + "': its text has been removed");
  v1::TaggedArticle article;
  if (!article.ParseFromString(*detail)) return base::DataLoss("article detail: damaged");
  RW_ASSIGN_OR_RETURN(const auto last, view->Get(Table::kCorrection, kLastNumber));
  const uint64_t number = (last ? Reader(*last).Varint() : 0) + 1;
  RW_ASSIGN_OR_RETURN(const auto own_row, view->Get(Table::kCorrection, ArticleKey(id)));
  RW_ASSIGN_OR_RETURN(std::vector<uint64_t> own, ReadNumbers(own_row));
  if (own.size() >= kCorrectionsOfArticleMax || number > kCorrectionsMax)
    return base::ResourceExhausted("corrections: at most " + std::to_string(kCorrectionsOfArticleMax) + " of an article and " +
                                   std::to_string(kCorrectionsMax) + " of all");
  own.push_back(number);

  v1::Correction& correction = *response->mutable_correction();
  correction.Clear();
  correction.set_id(std::to_string(number));
  *correction.mutable_labels() = request.labels();
  correction.set_reader(request.reader());
  correction.set_note(request.note());
  SetMs(correction.mutable_at(), clock_.NowMs());
  Batch batch;
  for (const std::string& url : {article.article().canonical_url(), article.article().url()})
    if (!url.empty()) batch.Put(Table::kCorrection, AddressKey(url), id);
  FillFromArticle(&article, &correction);
  const Place place = PlaceOf(generations.active, Table::kArticle, id);
  batch.Expect(Table::kMeta, std::string(kGenerationsKey), generations_row);
  batch.Expect(place.table, place.key, article_row);
  batch.Replace(Table::kCorrection, kLastNumber, last, Numbers({number}));
  batch.Replace(Table::kCorrection, ArticleKey(id), own_row, Numbers(own));
  batch.Put(Table::kCorrection, RecordKey(number), correction.SerializeAsString());
  return whole_.Commit(batch);
}

base::Status ListCorrections(const View& view, const v1::ListCorrectionsRequest& request, v1::ListCorrectionsResponse* response) {
  if (request.page_size() > kPageMax) return base::InvalidArgument("page_size: at most " + std::to_string(kPageMax));
  const size_t limit = request.page_size() == 0 ? kPageDefault : request.page_size();
  const std::string& token = request.page_token();
  uint64_t after = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), after);
  if (!token.empty() && (error != std::errc() || end != token.data() + token.size())) return base::InvalidArgument("page_token: not one of ours");
  size_t bytes = 0;
  // False once the page is full.
  const auto add = [&](v1::Correction correction) {
    bytes += correction.ByteSizeLong();
    if (static_cast<size_t>(response->corrections_size()) == limit || (response->corrections_size() > 0 && bytes > kPageBytesMax)) {
      response->set_next_page_token(response->corrections(response->corrections_size() - 1).id());
      return false;
    }
    *response->add_corrections() = std::move(correction);
    return true;
  };
  if (!request.article_id().empty()) {
    const auto id = ParseArticleId(request.article_id());
    if (!id) return base::InvalidArgument("article_id: 32 hexadecimal digits are needed");
    RW_ASSIGN_OR_RETURN(const auto row, view.Get(Table::kCorrection, ArticleKey(IdBytes(*id))));
    RW_ASSIGN_OR_RETURN(const std::vector<uint64_t> numbers, ReadNumbers(row));
    for (const uint64_t number : numbers) {
      if (number <= after) continue;
      RW_ASSIGN_OR_RETURN(v1::Correction correction, ReadRecord(view, number));
      if (!add(std::move(correction))) break;
    }
    return {};
  }
  base::Status damage;
  RW_RETURN_IF_ERROR(view.Scan(Table::kCorrection, RecordKey(after + 1), std::string(1, kRecord + 1), false, [&](std::string_view, std::string_view value) {
    v1::Correction correction;
    if (!correction.ParseFromArray(value.data(), static_cast<int>(value.size()))) return damage = base::DataLoss("correction: damaged"), false;
    return add(std::move(correction));
  }));
  return damage;
}

base::Status RedactCorrections(const View& view, std::string_view article, Batch* batch) {
  RW_ASSIGN_OR_RETURN(auto row, view.Get(Table::kCorrection, ArticleKey(article)));
  RW_ASSIGN_OR_RETURN(const std::vector<uint64_t> numbers, ReadNumbers(row));
  batch->Expect(Table::kCorrection, ArticleKey(article), std::move(row));
  for (const uint64_t number : numbers) {
    RW_ASSIGN_OR_RETURN(v1::Correction correction, ReadRecord(view, number));
    correction.clear_title();
    correction.clear_text();
    correction.mutable_tags()->clear_evidence();
    batch->Put(Table::kCorrection, RecordKey(number), correction.SerializeAsString());
  }
  return {};
}

base::Result<std::optional<std::string>> Corrections::Redact(const std::string& article) {
  for (int i = 0; i < kTries; ++i) {
    const auto view = whole_.Snapshot();
    const auto parsed = ParseArticleId(article);
    std::optional<std::string> id = parsed ? std::optional(IdBytes(*parsed)) : std::nullopt;
    if (!id) {
      RW_ASSIGN_OR_RETURN(id, view->Get(Table::kCorrection, AddressKey(article)));
    }
    if (!id) return std::optional<std::string>();
    RW_ASSIGN_OR_RETURN(const auto row, view->Get(Table::kCorrection, ArticleKey(*id)));
    if (!row) return std::optional<std::string>();
    Batch batch;
    RW_RETURN_IF_ERROR(RedactCorrections(*view, *id, &batch));
    const base::Status status = whole_.Commit(batch);
    if (status.ok()) return std::optional(FormatArticleId(*IdFromBytes(*id)));
    if (status.code() != base::Code::kAborted) return status;
  }
  return base::Aborted("corrections of article '" + article.substr(0, 200) + "': others write them all the time, try again");
}

}  // namespace racewatch::store
