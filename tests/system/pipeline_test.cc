// The four roles as processes over one real Apache Kafka broker: articles of known labels come in by HTTP, every
// role is killed with SIGKILL in mid-batch and started again, and in the end the store's numbers must equal an
// independent recount to the integer, the alerts must be the expected ones, and nothing may be missing.
//
// Event time goes on by one ten-minute slot per round; the next round is published only when the store has
// counted the last one, so what an alert step sees does not depend on when processes died.
#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <regex>
#include <thread>

#include "base/bus/topics.h"
#include "base/clock.h"
#include "cli/demo_week.h"
#include "racewatch/v1/config.pb.h"
#include "racewatch/v1/store_service.grpc.pb.h"
#include "tests/system/child_process.h"
#include "tests/system/feed_site.h"
#include "tests/system/kafka_node.h"
#include "tests/system/recount.h"

namespace racewatch::system_test {
namespace {

namespace fs = std::filesystem;
using google::protobuf::util::TimeUtil;

constexpr int64_t kSlotS = 600;
constexpr size_t kRounds = 20;
constexpr size_t kFeeds = 6;
constexpr size_t kEditions = 8;  // variants of each demo article
constexpr char kAlertTheme[] = "chips_compute";
constexpr int kAlertOpen = 30;

const std::string kBinary = RACEWATCH_BINARY_DIR "/racewatch";

struct Role {
  std::string name;
  std::vector<std::string> argv;
  int http = 0;
  std::unique_ptr<ChildProcess> process;
};

// What is published when, and on which feeds.
struct Plan {
  struct Entry {
    SiteItem item;
    std::string language;
    std::vector<size_t> feeds;  // the second carries a copy of the same link
  };
  std::vector<std::vector<Entry>> rounds;
  std::vector<std::vector<Entry>> edits;  // of articles of earlier rounds, same link
};

Plan MakePlan(int64_t start_s) {
  const auto week = cli::LoadDemoWeek(cli::DemoDataDir());
  EXPECT_TRUE(week.ok()) << week.status().message();
  Plan plan;
  plan.rounds.resize(kRounds);
  plan.edits.resize(kRounds);
  size_t number = 0;
  for (size_t edition = 0; edition < kEditions; ++edition) {
    for (const auto& article : week->articles) {
      const auto& version = article.versions.front();
      const size_t round = number % kRounds;
      Plan::Entry entry;
      entry.item.link = "https://paper" + std::to_string(number % 9) + ".example/story/" + std::to_string(number);
      entry.item.title = version.title;
      entry.item.paragraphs = version.paragraphs;
      entry.item.paragraphs.push_back("Edition " + std::to_string(edition) + ", report " + std::to_string(number) + ".");
      entry.item.published_s = start_s + static_cast<int64_t>(round) * kSlotS + static_cast<int64_t>(number / kRounds * 7 % kSlotS);
      entry.language = week->feeds[article.feed].language;
      entry.feeds = {number % kFeeds};
      if (number % 17 == 0) entry.feeds.push_back((number + 1) % kFeeds);
      if (number % 23 == 0 && round + 8 < kRounds) {
        // An edit turns the article into another one's text, so its labels change.
        Plan::Entry edit = entry;
        const auto& other = week->articles[(number * 7 + 3) % week->articles.size()].versions.front();
        edit.item.title = other.title;
        edit.item.paragraphs = other.paragraphs;
        edit.item.paragraphs.push_back("Corrected report " + std::to_string(number) + ".");
        edit.feeds = {entry.feeds.front()};
        entry.feeds = edit.feeds;
        plan.edits[round + 8].push_back(std::move(edit));
      }
      plan.rounds[round].push_back(std::move(entry));
      ++number;
    }
  }
  return plan;
}

class PipelineTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string lib;
    if (!KafkaNode::Available(&lib)) GTEST_SKIP() << "needs the Apache Kafka jars in " << lib << " (deploy/kafka/fetch)";
    work_ = fs::temp_directory_path() / ("racewatch_system_" + std::to_string(getpid()));
    fs::create_directories(work_);
    kafka_ = std::make_unique<KafkaNode>((work_ / "kafka").string());
    ASSERT_NE(kafka_->address(), "");
    site_ = std::make_unique<FeedSite>(kFeeds);
  }

  void TearDown() override {
    for (Role& role : roles_)
      if (role.process) role.process->Stop();
    if (!work_.empty()) {
      kafka_.reset();
      if (!HasFailure()) fs::remove_all(work_);
      else std::cout << "logs are kept in " << work_ << "\n";
    }
  }

  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = (work_ / name).string();
    std::ofstream(path) << text;
    return path;
  }

  void AddRole(const std::string& name, const std::string& config, std::vector<std::string> extra) {
    Role role;
    role.name = name;
    role.http = FreePort();
    role.argv = {kBinary, name, "--http", "127.0.0.1:" + std::to_string(role.http)};
    if (!config.empty()) {
      role.argv.push_back("--config");
      role.argv.push_back(Write(name + ".txtpb", config));
    }
    role.argv.insert(role.argv.end(), extra.begin(), extra.end());
    roles_.push_back(std::move(role));
  }

  // The store with one threshold rule, on the state folder of this name.
  std::vector<std::string> StoreArgv(const std::string& state, int open) {
    const std::string config =
        "bus { kafka { bootstrap_servers: \"" + kafka_->address() + "\" } }\nrules { name: \"chips\" threshold { window_s: 3600 open: " +
        std::to_string(open) + " } series { dimension: \"theme\" theme: \"" + kAlertTheme +
        "\" } publishers_min: 2 coverage_min: 0.01 }\n";
    return {kBinary, "store", "--http", "127.0.0.1:" + std::to_string(Find("store").http), "--grpc",
            "127.0.0.1:" + std::to_string(store_port_), "--config", Write(state + ".txtpb", config), "--state", (work_ / state).string()};
  }

  void StartRoles() {
    const std::string bus = "bus { kafka { bootstrap_servers: \"" + kafka_->address() + "\" session_timeout_ms: 6000 } }\n";
    classifier_port_ = FreePort();
    store_port_ = FreePort();
    AddRole("classifier", "", {"--grpc", "127.0.0.1:" + std::to_string(classifier_port_)});
    AddRole("tagger", bus + "classifier: \"127.0.0.1:" + std::to_string(classifier_port_) + "\"\n", {});
    AddRole("store", "", {});
    Find("store").argv = StoreArgv("store", 1'000'000);
    std::string feeds;
    for (size_t i = 0; i < kFeeds; ++i) feeds += "feeds { url: \"" + site_->Url(i) + "\" interval_s: 1 }\n";
    AddRole("ingest", bus + "allow_private_addresses: true fetch_pages: false host_spacing_ms: 1 summary_chars_max: 1\n" + feeds,
            {"--state", (work_ / "ingest").string()});
    for (Role& role : roles_) Start(role);
    stub_ = v1::StoreService::NewStub(
        grpc::CreateChannel("127.0.0.1:" + std::to_string(store_port_), grpc::InsecureChannelCredentials()));
  }

  void Start(Role& role) {
    role.process = std::make_unique<ChildProcess>(role.argv, (work_ / (role.name + ".log")).string());
  }

  double Metric(const Role& role, const std::string& name_and_labels) const {
    const std::string text = HttpGet(role.http, "/metrics");
    const size_t at = text.find("\n" + name_and_labels + " ");
    return at == std::string::npos ? 0 : std::stod(text.substr(at + name_and_labels.size() + 2));
  }

  // Kills the role once it has taken in records of this round and has not yet taken in all of them.
  void KillInMidBatch(const std::string& name, double records_before) {
    Role& role = Find(name);
    const std::string metric = "racewatch_stage_received_total{stage=\"" + name + "\"}";
    Await("records in " + name, [&] { return Metric(role, metric) > records_before; });
    role.process->Kill();
    std::cout << "killed " << name << " in mid-batch\n";
    Start(role);
  }

  Role& Find(const std::string& name) {
    for (Role& role : roles_)
      if (role.name == name) return role;
    throw std::runtime_error("no role " + name);
  }

  void Await(const std::string& what, const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(300);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("waited 300 s for " + what);
      for (Role& role : roles_)
        if (role.process && !role.process->running())
          throw std::runtime_error(role.name + " ended with " + std::to_string(role.process->exit_code()));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // polling other processes
    }
  }

  v1::GetTrendsResponse Trends(v1::Window window, int64_t from_s, int64_t to_s, const std::string& language = "") {
    v1::GetTrendsRequest request;
    request.set_window(window);
    if (window != v1::WINDOW_ALL) {
      *request.mutable_from() = TimeUtil::SecondsToTimestamp(from_s);
      *request.mutable_to() = TimeUtil::SecondsToTimestamp(to_s);
    }
    if (!language.empty()) {
      for (const auto& key : keys_) {
        *request.add_series() = key;
        request.mutable_series(request.series_size() - 1)->set_language(language);
      }
    }
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::GetTrendsResponse response;
    const grpc::Status status = stub_->GetTrends(&context, request, &response);
    if (!status.ok()) return {};
    if (keys_.empty())
      for (const auto& series : response.series()) keys_.push_back(series.key());
    return response;
  }

  static std::string Name(const v1::SeriesKey& key) {
    if (!key.target().empty()) return "stance=" + key.target() + "/" + key.position();
    if (!key.theme().empty()) return "theme=" + key.theme();
    return "lean=" + key.lean();
  }

  // Articles the store has counted in all, relevant or not, from its metrics.
  double Counted() {
    const std::string text = HttpGet(Find("store").http, "/metrics");
    static const std::regex kLine("racewatch_articles\\{[^}]*\\} ([0-9.e+]+)");
    double sum = 0;
    for (std::sregex_iterator it(text.begin(), text.end(), kLine), end; it != end; ++it) sum += std::stod((*it)[1]);
    return sum;
  }
  double Revisions() {
    const Role& ingest = Find("ingest");
    return Metric(ingest, "racewatch_ingest_revisions_total");
  }

  void CheckEquality(const std::map<std::string, uint64_t>& expected, const v1::GetTrendsResponse& trends, const std::string& what) {
    size_t compared = 0;
    for (const auto& series : trends.series()) {
      uint64_t sum = 0;
      for (const auto& point : series.points()) sum += point.articles();
      const auto it = expected.find(Name(series.key()));
      EXPECT_EQ(sum, it == expected.end() ? 0 : it->second) << what << " " << Name(series.key());
      ++compared;
    }
    EXPECT_GE(compared, 19u + 5 * 3 + 3) << what;
    for (const auto& [name, count] : expected) total_checked_ += count;
  }

  // What the rule must have sent, from labels and times alone: the id of its opening, by the documented rule.
  std::string ExpectedAlertId(const Plan& plan, int64_t start_s) {
    std::vector<TextToTag> texts;
    std::map<std::string, const SiteItem*> items;
    for (const auto& round : plan.rounds)
      for (const auto& entry : round) {
        std::string text;
        for (const auto& paragraph : entry.item.paragraphs) text += (text.empty() ? "" : "\n\n") + paragraph;
        texts.push_back({entry.item.link, entry.item.title, text, entry.language.substr(0, 2)});
        items[entry.item.link] = &entry.item;
      }
    std::map<int64_t, int> by_slot;
    for (const auto& [link, labels] : TagWithCommand(kBinary, work_.string(), texts))
      if (labels.themes.count(kAlertTheme) > 0) ++by_slot[(items.at(link)->published_s - start_s) / kSlotS];
    int trailing = 0;
    for (int64_t slot = 0; slot < static_cast<int64_t>(kRounds); ++slot) {
      trailing += by_slot[slot] - (slot >= 6 ? by_slot[slot - 6] : 0);
      if (trailing < kAlertOpen) continue;
      const int64_t to_ms = (start_s + (slot + 1) * kSlotS) * 1000;
      const std::string text = std::string("chips|theme=") + kAlertTheme + "|" + std::to_string(to_ms - 3600'000) + "|" + std::to_string(to_ms);
      const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
      char id[33];
      std::snprintf(id, sizeof id, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                    static_cast<unsigned long long>(hash.low64));
      return id;
    }
    return "never";
  }

  // Of the counts; the digest of stories depends on how partitions interleave. Empty while there is no answer.
  std::string Digest() {
    std::string line;
    if (RunToEnd({kBinary, "digest", "--server", "127.0.0.1:" + std::to_string(Find("store").http)}, &line) != 0) return "";
    return nlohmann::json::parse(line).at("digest");
  }

  // The alert topic holds the one alert expected, opened once, however often the store died.
  void CheckAlerts(const std::string& expected_alert) {
    ASSERT_NE(expected_alert, "never") << "the plan holds too few articles on " << kAlertTheme;
    Await("an alert", [&] { return !kafka_->Read(base::kAlertsTopic).empty(); });
    std::map<std::string, std::set<std::string>> alerts;  // id → ce_ids
    int opened = 0;
    for (const auto& record : kafka_->Read(base::kAlertsTopic)) {
      const auto alert = nlohmann::json::parse(record.value);
      EXPECT_EQ(record.key, std::string("chips|theme=") + kAlertTheme);
      ASSERT_NE(record.FindHeader("ce_id"), nullptr);
      EXPECT_EQ(*record.FindHeader("ce_id"), alert.at("id").get<std::string>() + "/" + std::to_string(alert.at("sequence").get<int>()));
      EXPECT_GE(alert.at("evidence").size(), 1u);
      const bool repeated = !alerts[alert.at("id")].insert(*record.FindHeader("ce_id")).second;
      opened += alert.at("state") == "open" && !repeated;
    }
    ASSERT_EQ(alerts.size(), 1u);
    EXPECT_EQ(alerts.begin()->first, expected_alert);
    EXPECT_EQ(opened, 1);
    std::cout << "alert " << expected_alert << " opened once, " << alerts.begin()->second.size() << " states sent\n";
  }

  fs::path work_;
  std::unique_ptr<KafkaNode> kafka_;
  std::unique_ptr<FeedSite> site_;
  std::vector<Role> roles_;
  int classifier_port_ = 0;
  int store_port_ = 0;
  std::unique_ptr<v1::StoreService::Stub> stub_;
  std::vector<v1::SeriesKey> keys_;
  uint64_t total_checked_ = 0;
};

TEST_F(PipelineTest, CountsEveryArticleOnceWhileEveryRoleIsKilled) {
  const int64_t now_s = base::SystemClock().NowMs() / 1000;
  const int64_t start_s = (now_s / kSlotS - static_cast<int64_t>(kRounds) - 1) * kSlotS;
  const Plan plan = MakePlan(start_s);
  StartRoles();

  // Round by round; in rounds 3, 7, 11 and 15 one role dies in mid-batch.
  const std::map<size_t, std::string> kills = {{3, "tagger"}, {7, "store"}, {11, "ingest"}, {15, "classifier"}};
  std::map<std::string, std::pair<SiteItem, std::string>> final_items;  // by link
  double published = 0;
  for (size_t round = 0; round < kRounds; ++round) {
    const auto kill = kills.find(round);
    const double before =
        kill == kills.end() ? 0 : Metric(Find(kill->second), "racewatch_stage_received_total{stage=\"" + kill->second + "\"}");
    for (const auto* entries : {&plan.rounds[round], &plan.edits[round]})
      for (const auto& entry : *entries) {
        for (const size_t feed : entry.feeds) site_->Publish(feed, entry.item);
        if (entries == &plan.rounds[round]) ++published;
        final_items[entry.item.link] = {entry.item, entry.language};
      }
    if (kill != kills.end()) KillInMidBatch(kill->second, before);
    Await("round " + std::to_string(round) + " in the store", [&] { return Counted() == published; });
  }
  std::cout << "published " << published << " articles, all counted\n";

  // The store's own numbers settle once the last revisions are through.
  std::map<std::string, CountedArticle> winners;
  Await("the last edits", [&] {
    winners = Winners(kafka_->Read(base::kTaggedTopic));
    size_t right = 0;
    for (const auto& [id, article] : winners) right += article.text.find("Corrected report") != std::string::npos;
    size_t wanted = 0;
    for (const auto& edits : plan.edits) wanted += edits.size();
    return right == wanted;
  });
  ASSERT_EQ(static_cast<double>(winners.size()), published);

  // Known labels: each article's tags are those `racewatch tag` gives its final text.
  std::vector<TextToTag> texts;
  for (const auto& [id, article] : winners) texts.push_back({id, article.title, article.text, article.labels.language});
  const auto known = TagWithCommand(kBinary, work_.string(), texts);
  size_t differing = 0;
  for (auto& [id, article] : winners) {
    Labels expected = known.at(id);
    expected.language = article.labels.language;
    differing += !(expected == article.labels);
    article.labels = expected;
  }
  EXPECT_EQ(differing, 0u);
  std::set<std::string> texts_published;
  std::set<std::string> texts_counted;
  for (const auto& [link, item] : final_items) texts_published.insert(item.first.title);
  for (const auto& [id, article] : winners) texts_counted.insert(article.title);
  EXPECT_EQ(texts_published, texts_counted);

  // Integer equality with the recount: all time, by language, hours and days.
  const auto everything = Count(winners, 0, now_s * 2);
  const int64_t from = start_s - start_s % 86400;
  const int64_t to = from + 3 * 86400;
  Await("the store to agree on all-time counts", [&] {
    const auto trends = Trends(v1::WINDOW_ALL, 0, 0);
    for (const auto& series : trends.series()) {
      uint64_t sum = 0;
      for (const auto& point : series.points()) sum += point.articles();
      const auto it = everything.find(Name(series.key()));
      if (sum != (it == everything.end() ? 0 : it->second)) return false;
    }
    return trends.series_size() > 0;
  });
  CheckEquality(everything, Trends(v1::WINDOW_ALL, 0, 0), "all time");
  for (const char* language : {"en", "zh"})
    CheckEquality(Count(winners, 0, now_s * 2, language), Trends(v1::WINDOW_ALL, 0, 0, language), language);
  for (int64_t hour = start_s - start_s % 3600; hour < now_s; hour += 3600)
    CheckEquality(Count(winners, hour, hour + 3600), Trends(v1::WINDOW_HOUR, hour, hour + 3600), "hour " + std::to_string(hour));
  for (int64_t day = from; day < to; day += 86400)
    CheckEquality(Count(winners, day, day + 86400), Trends(v1::WINDOW_DAY, day, day + 86400), "day " + std::to_string(day));
  std::cout << "compared " << total_checked_ << " counted labels, all equal\n";

  // Nothing lost between stages: acknowledged = stored ∪ dead-lettered, on distinct ids.
  std::set<std::string> in, out, dead;
  for (const auto& record : kafka_->Read(base::kArticlesTopic)) in.insert(record.key);
  for (const auto& record : kafka_->Read(base::kTaggedTopic)) out.insert(record.key);
  for (const auto& record : kafka_->Read(base::kDeadLetterTopic)) dead.insert(record.key);
  EXPECT_EQ(in, out);
  EXPECT_TRUE(dead.empty());
  EXPECT_EQ(static_cast<double>(in.size()), Counted());

  // in = out + dropped, per stage and process life.
  for (const char* name : {"tagger", "store", "ingest"}) {
    Role& role = Find(name);
    const std::string stage = std::string("{stage=\"") + name + "\"}";
    double dropped = 0;
    const std::string text = HttpGet(role.http, "/metrics");
    const std::regex line("racewatch_stage_dropped_total\\{reason=\"[a-z_]+\",stage=\"" + std::string(name) + "\"\\} ([0-9.e+]+)");
    for (std::sregex_iterator it(text.begin(), text.end(), line), end; it != end; ++it) dropped += std::stod((*it)[1]);
    const double received = Metric(role, "racewatch_stage_received_total" + stage);
    const double sent = Metric(role, "racewatch_stage_sent_total" + stage);
    EXPECT_EQ(received, sent + dropped) << name << ": received " << received << ", sent " << sent << ", dropped " << dropped;
    std::cout << name << ": in " << received << " = out " << sent << " + dropped " << dropped << "\n";
  }

  // A second store with a rule, on the same topics: it dies in mid-batch too, ends with the same digest, and sends the
  // one alert that labels and times ask for, once. Alert steps follow the clock, so this store must read everything
  // before its first step: the first one decided its steps while the articles were still coming.
  const std::string first_digest = Digest();
  ASSERT_FALSE(first_digest.empty());
  EXPECT_EQ(Find("store").process->Stop(), 0);
  Find("store").argv = StoreArgv("replay", kAlertOpen);
  Start(Find("store"));
  KillInMidBatch("store", 0);
  Await("the replay", [&] { return Counted() == published; });
  Await("the digest of the replay", [&] { return Digest() == first_digest; });
  std::cout << "replay: the same digest\n";
  CheckAlerts(ExpectedAlertId(plan, start_s));
}

}  // namespace
}  // namespace racewatch::system_test
