#include "cli/backfill_run.h"

#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "ingest/backfill/builder.h"

namespace racewatch::cli {
namespace {

using Json = nlohmann::ordered_json;
using Instant = std::chrono::steady_clock::time_point;

constexpr int kBatchArticles = 500;
constexpr size_t kBatchBytes = 700u << 10;  // a process takes 1 MiB at once
constexpr size_t kOriginalBytesMax = 64u << 10;

// One run over all files.
class Run {
 public:
  Run(const BackfillOptions& options, const ingest::PublisherRegistry& publishers, const base::Clock& clock, BackfillPositions& positions,
      BackfillTarget& target, BackfillCounts* counts)
      : options_(options), clock_(clock), positions_(positions), target_(target), counts_(*counts), builder_(publishers) {}

  base::Status Files(const std::vector<std::string>& files) {
    for (const std::string& file : files) bytes_total_ += SizeOf(file);
    for (const std::string& file : files) {
      RW_RETURN_IF_ERROR(File(file));
      bytes_before_ += SizeOf(file);
    }
    return {};
  }

 private:
  static uint64_t SizeOf(const std::string& file) {
    std::error_code error;
    const auto size = std::filesystem::file_size(file, error);
    return error ? 0 : size;
  }

  base::Status File(const std::string& file) {
    BackfillPositions::Position& position = positions_.Of(file);
    if (position.complete) {
      counts_.resumed += position.items;
      return {};
    }
    auto archive = ingest::OpenArchive(file, options_.archive);
    if (!archive.ok()) {
      Unreadable(archive.status());
      return {};
    }
    source_ = std::filesystem::path(file).filename().string();
    uint64_t items = 0;
    for (;;) {
      ingest::ArchiveItem item;
      const auto more = (*archive)->Next(&item);
      const bool ended = !more.ok() || !*more;
      if (!ended && ++items <= position.items) {  // of an earlier run
        ++counts_.resumed;
        continue;
      }
      if (!ended) Take(std::move(item));
      if (!ended && batch_.articles_size() < kBatchArticles && batch_bytes_ < kBatchBytes && unsaved_ < 20 * kBatchArticles) continue;
      if (!more.ok()) Cut(file, items, more.status());
      RW_RETURN_IF_ERROR(Deliver());
      position.items = items;
      position.complete = ended;
      RW_RETURN_IF_ERROR(positions_.Save());
      Progress(file, **archive);
      if (ended) return {};
    }
  }

  void Take(ingest::ArchiveItem item) {
    ++counts_.read;
    ++unsaved_;
    if (!item.reject_reason.empty()) return Reject(item.where, item.reject_reason, item.detail, item.original);
    if (item.drop_reason.empty()) {
      v1::Article article = builder_.Build(item, source_, clock_.NowMs());
      if (!article.title().empty()) {
        batch_bytes_ += article.ByteSizeLong();
        *batch_.add_articles() = std::move(article);
        return;
      }
      item.drop_reason = "no_title";
    }
    ++counts_.dropped[item.drop_reason];
  }

  void Reject(const std::string& where, const std::string& reason, const std::string& detail, const std::string& original) {
    v1::BackfillReject& reject = *batch_.add_rejects();
    reject.set_where(where);
    reject.set_reason(reason);
    reject.set_detail(detail);
    reject.set_original(original.substr(0, kOriginalBytesMax));
    batch_bytes_ += reject.ByteSizeLong();
    options_.on_problem(where + ": " + reason + ": " + detail);
  }

  // The end of the file is missing: that is one more item, and the file is done with.
  void Cut(const std::string& file, uint64_t items, const base::Status& why) {
    ++counts_.read;
    ++counts_.unreadable;
    Reject(file + ":" + std::to_string(items + 1), "cut", why.message(), "");
  }

  void Unreadable(const base::Status& why) {
    ++counts_.unreadable;
    options_.on_problem(why.message());
  }

  base::Status Deliver() {
    const auto articles = static_cast<uint64_t>(batch_.articles_size());
    const auto rejects = static_cast<uint64_t>(batch_.rejects_size());
    if (articles + rejects > 0) RW_RETURN_IF_ERROR(target_.Deliver(batch_));
    counts_.sent += articles;
    counts_.dead_lettered += rejects;
    batch_.Clear();
    batch_bytes_ = 0;
    unsaved_ = 0;
    if (options_.rate_per_s > 0) {
      const auto due = started_ + std::chrono::duration<double>(static_cast<double>(counts_.sent) / options_.rate_per_s);
      std::this_thread::sleep_until(due);
    }
    return {};
  }

  void Progress(const std::string& file, const ingest::ArchiveReader& archive) const {
    if (!options_.on_progress) return;
    const double of_file = archive.bytes_total() > 0 ? static_cast<double>(archive.bytes_read()) / static_cast<double>(archive.bytes_total()) : 1;
    const double done = static_cast<double>(bytes_before_) + of_file * static_cast<double>(SizeOf(file));
    options_.on_progress({file, bytes_total_ > 0 ? done / static_cast<double>(bytes_total_) : 1, counts_.sent});
  }

  const BackfillOptions& options_;
  const base::Clock& clock_;
  BackfillPositions& positions_;
  BackfillTarget& target_;
  BackfillCounts& counts_;
  const ingest::BackfillBuilder builder_;
  const Instant started_ = std::chrono::steady_clock::now();
  v1::BackfillBatch batch_;
  size_t batch_bytes_ = 0;
  uint64_t unsaved_ = 0;  // items since the position was written
  std::string source_;
  uint64_t bytes_total_ = 0;
  uint64_t bytes_before_ = 0;
};

}  // namespace

base::Status BackfillPositions::Load() {
  std::ifstream in(path_, std::ios::binary);
  if (!in) return {};
  const Json json = Json::parse(in, nullptr, false);
  if (!json.is_object()) return base::InvalidArgument("position file " + path_ + ": is damaged; remove it to begin anew");
  for (const auto& [file, value] : json.items()) {
    Position position;
    position.items = value.value("items", uint64_t{0});
    position.bytes = value.value("bytes", uint64_t{0});
    position.mtime_ns = value.value("mtime_ns", int64_t{0});
    position.complete = value.value("complete", false);
    positions_[file] = position;
  }
  return {};
}

base::Status BackfillPositions::Save() const {
  Json json = Json::object();
  for (const auto& [file, p] : positions_)
    json[file] = {{"items", p.items}, {"bytes", p.bytes}, {"mtime_ns", p.mtime_ns}, {"complete", p.complete}};
  const std::string fresh = path_ + ".new";
  std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
  out << json.dump(1, ' ', false, Json::error_handler_t::replace) << '\n';
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(fresh, path_, error);
  if (!out || error) return base::NotFound("position file " + path_ + ": cannot be written");
  return {};
}

BackfillPositions::Position& BackfillPositions::Of(const std::string& file) {
  struct stat info {};
  const bool there = stat(file.c_str(), &info) == 0;
  const auto bytes = there ? static_cast<uint64_t>(info.st_size) : 0;
  const int64_t mtime = there ? info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec : 0;
  Position& position = positions_[file];
  if (position.bytes != bytes || position.mtime_ns != mtime) position = {0, bytes, mtime, false};
  return position;
}

base::Status RunBackfill(const std::vector<std::string>& sources, const BackfillOptions& options, const ingest::PublisherRegistry& publishers,
                         const base::Clock& clock, BackfillPositions& positions, BackfillTarget& target, BackfillCounts* counts) {
  std::vector<std::string> files;
  for (const std::string& source : sources) {
    RW_ASSIGN_OR_RETURN(const std::vector<std::string> own, ingest::ArchiveFiles(source));
    files.insert(files.end(), own.begin(), own.end());
  }
  return Run(options, publishers, clock, positions, target, counts).Files(files);
}

}  // namespace racewatch::cli
