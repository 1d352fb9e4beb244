#include "store/store_config.h"

#include <string>
#include <vector>

#include "base/config.h"
#include "racewatch/v1/config.pb.h"
#include "store/alert/rule_config.h"
#include "store/saved_query/saved_queries.h"
#include "store/notify/subscriber_config.h"

namespace racewatch::store {

namespace {

void ValidatePostgreSql(const v1::PostgreSqlConfig& config, base::Problems* problems) {
  if (config.conninfo().empty()) problems->Add("postgresql.conninfo", "is required, for example \"host=127.0.0.1 dbname=racewatch\"");
  const std::string& schema = config.schema();
  const bool named = schema.size() <= 63 && schema.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos &&
                     (schema[0] == '_' || (schema[0] >= 'a' && schema[0] <= 'z'));
  if (!named) problems->Add("postgresql.schema", "'" + schema + "' is not [a-z_][a-z0-9_]* of at most 63");
  base::CheckRange("postgresql.lease_ms", config.lease_ms(), 1000, 600'000, problems);
}

}  // namespace

v1::StoreConfig WithDefaults(v1::StoreConfig config) {
  if (config.http().listen().empty()) config.mutable_http()->set_listen("127.0.0.1:8474");
  if (config.http().threads() == 0) config.mutable_http()->set_threads(8);
  if (config.grpc_listen().empty()) config.set_grpc_listen("127.0.0.1:9474");
  if (config.batch_records_max() == 0) config.set_batch_records_max(500);
  if (config.hour_windows_days() == 0) config.set_hour_windows_days(90);
  if (config.late_days_max() == 0) config.set_late_days_max(90);
  if (config.story_window_articles() == 0) config.set_story_window_articles(200'000);
  if (config.watermark_s() == 0) config.set_watermark_s(600);
  if (config.idle_s() == 0) config.set_idle_s(3600);
  if (!config.has_page()) config.set_page(true);
  if (config.memtable_bytes() == 0) config.set_memtable_bytes(64u << 20);
  if (config.cache_bytes() == 0) config.set_cache_bytes(64u << 20);
  if (config.has_postgresql()) {
    if (config.postgresql().schema().empty()) config.mutable_postgresql()->set_schema("racewatch");
    if (config.postgresql().lease_ms() == 0) config.mutable_postgresql()->set_lease_ms(10'000);
  }
  if (config.rules_size() == 0)
    for (const auto& rule : DefaultRules()) *config.add_rules() = rule;
  return config;
}

void ValidateStoreConfig(const v1::StoreConfig& given, base::Problems* problems) {
  const v1::StoreConfig config = WithDefaults(given);
  base::CheckListen("http.listen", config.http().listen(), problems);
  base::CheckListen("grpc_listen", config.grpc_listen(), problems);
  base::CheckRange("batch_records_max", config.batch_records_max(), 1, 20'000, problems);
  base::CheckRange("hour_windows_days", config.hour_windows_days(), 1, 3660, problems);
  base::CheckRange("late_days_max", config.late_days_max(), 1, 3660, problems);
  base::CheckRange("story_window_articles", config.story_window_articles(), 100, 10'000'000, problems);
  base::CheckRange("watermark_s", config.watermark_s(), 1, 86'400, problems);
  base::CheckRange("idle_s", config.idle_s(), 1, 86'400, problems);
  base::CheckRange("memtable_bytes", static_cast<double>(config.memtable_bytes()), 1 << 20, 16e9, problems);
  base::CheckRange("cache_bytes", static_cast<double>(config.cache_bytes()), 1 << 20, 64e9, problems);
  if (config.has_postgresql()) ValidatePostgreSql(config.postgresql(), problems);
  ValidateQueries(config, problems);
  std::vector<std::string> queries;
  for (const auto& query : config.queries()) queries.push_back(query.name());
  ValidateRules("rules", {config.rules().begin(), config.rules().end()}, queries, problems);
  ValidateSubscribers(config, problems);
}

}  // namespace racewatch::store
