#include "base/bus/topic_admin.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "base/bus/kafka_client.h"
#include "base/bus/record.h"
#include "base/log.h"
#include "racewatch/v1/config.pb.h"

namespace racewatch::base {

namespace {

constexpr int kTimeoutMs = 30'000;
// A batch of one largest record, with room for its framing.
constexpr size_t kMessageBytesMax = kRecordBytesMax + (1u << 20);

using Configs = std::map<std::string, std::string>;

Configs ConfigsOf(const TopicSpec& spec) {
  const char* policy = spec.compacted ? (spec.expires ? "compact,delete" : "compact") : "delete";
  return {{"cleanup.policy", policy},
          {"retention.ms", std::to_string(spec.retention_ms)},
          {"min.compaction.lag.ms", std::to_string(spec.compaction_lag_ms)},
          {"max.message.bytes", std::to_string(kMessageBytesMax)}};
}

// Kafka lists a policy in either order.
std::string Normal(const std::string& value) {
  return value == "delete,compact" ? "compact,delete" : value;
}

// One client for admin requests, and the queue of their answers.
class Admin {
 public:
  static Result<Admin> Make(const v1::KafkaConfig& config, Log* log) {
    RW_ASSIGN_OR_RETURN(KafkaConf conf, ClientConf(config, "topics"));
    for (const auto& [name, value] : config.properties())
      RW_RETURN_IF_ERROR(SetProperty(conf.get(), name, value));
    rd_kafka_conf_set_log_cb(conf.get(), [](const rd_kafka_t* client, int level,
                                            const char* facility, const char* text) {
      LogClientLine(static_cast<Log*>(rd_kafka_opaque(client)), level, facility, text);
    });
    Admin admin;
    RW_ASSIGN_OR_RETURN(admin.client_, MakeClient(RD_KAFKA_PRODUCER, std::move(conf), log));
    admin.queue_.reset(rd_kafka_queue_new(admin.client_.get()));
    return admin;
  }

  rd_kafka_t* client() const { return client_.get(); }
  rd_kafka_queue_t* queue() const { return queue_.get(); }

  KafkaAdminOptions Options(rd_kafka_admin_op_t operation) const {
    KafkaAdminOptions options(rd_kafka_AdminOptions_new(client_.get(), operation));
    char text[256];
    rd_kafka_AdminOptions_set_request_timeout(options.get(), kTimeoutMs, text, sizeof text);
    return options;
  }

  // The answer to the request just sent, or why there is none.
  Result<KafkaEvent> Answer(const std::string& what) const {
    KafkaEvent event(rd_kafka_queue_poll(queue_.get(), kTimeoutMs + 1000));
    if (!event) return Unavailable(what + ": no answer in time");
    RW_RETURN_IF_ERROR(KafkaStatus(rd_kafka_event_error(event.get()), what,
                                   rd_kafka_event_error_string(event.get())));
    return event;
  }

  // Partitions per existing topic.
  Result<std::map<std::string, int32_t>> Partitions() const {
    const rd_kafka_metadata_t* answer = nullptr;
    RW_RETURN_IF_ERROR(KafkaStatus(
        rd_kafka_metadata(client_.get(), 1, nullptr, &answer, kTimeoutMs), "list topics"));
    const KafkaMetadata metadata(answer);
    std::map<std::string, int32_t> topics;
    for (int i = 0; i < metadata->topic_cnt; ++i)
      topics[metadata->topics[i].topic] = metadata->topics[i].partition_cnt;
    return topics;
  }

  Status Create(const TopicSpec& spec, int32_t partitions, int32_t replication) const {
    const std::string name(spec.name);
    char text[256] = "";
    const KafkaNewTopic topic(
        rd_kafka_NewTopic_new(name.c_str(), partitions, replication, text, sizeof text));
    if (!topic) return InvalidArgument("make topic " + name + ": " + text);
    for (const auto& [key, value] : ConfigsOf(spec))
      rd_kafka_NewTopic_set_config(topic.get(), key.c_str(), value.c_str());
    rd_kafka_NewTopic_t* list[] = {topic.get()};
    rd_kafka_CreateTopics(client(), list, 1, Options(RD_KAFKA_ADMIN_OP_CREATETOPICS).get(),
                          queue());
    RW_ASSIGN_OR_RETURN(const KafkaEvent event, Answer("make topic " + name));
    size_t count = 0;
    const auto** results = rd_kafka_CreateTopics_result_topics(
        rd_kafka_event_CreateTopics_result(event.get()), &count);
    for (size_t i = 0; i < count; ++i)
      RW_RETURN_IF_ERROR(KafkaStatus(rd_kafka_topic_result_error(results[i]), "make topic " + name,
                                     rd_kafka_topic_result_error_string(results[i])));
    return Status::Ok();
  }

  // `all`: every setting; else only those that were set for this topic.
  Result<Configs> Describe(const std::string& topic, bool all) const {
    const KafkaConfigResource resource(
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    rd_kafka_ConfigResource_t* list[] = {resource.get()};
    rd_kafka_DescribeConfigs(client(), list, 1, Options(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS).get(),
                             queue());
    RW_ASSIGN_OR_RETURN(const KafkaEvent event, Answer("describe topic " + topic));
    size_t count = 0;
    const auto** resources = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event.get()), &count);
    Configs configs;
    for (size_t i = 0; i < count; ++i) {
      RW_RETURN_IF_ERROR(KafkaStatus(rd_kafka_ConfigResource_error(resources[i]),
                                     "describe topic " + topic,
                                     rd_kafka_ConfigResource_error_string(resources[i])));
      size_t entries = 0;
      const auto** entry = rd_kafka_ConfigResource_configs(resources[i], &entries);
      for (size_t e = 0; e < entries; ++e) {
        const bool own =
            rd_kafka_ConfigEntry_source(entry[e]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG;
        const char* value = rd_kafka_ConfigEntry_value(entry[e]);
        if ((all || own) && value) configs[rd_kafka_ConfigEntry_name(entry[e])] = value;
      }
    }
    return configs;
  }

  // Replaces all settings of the topic (this is what the request does in Kafka).
  Status Alter(const std::string& topic, const Configs& configs) const {
    const KafkaConfigResource resource(
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    for (const auto& [key, value] : configs)
      rd_kafka_ConfigResource_set_config(resource.get(), key.c_str(), value.c_str());
    rd_kafka_ConfigResource_t* list[] = {resource.get()};
    rd_kafka_AlterConfigs(client(), list, 1, Options(RD_KAFKA_ADMIN_OP_ALTERCONFIGS).get(),
                          queue());
    RW_ASSIGN_OR_RETURN(const KafkaEvent event, Answer("alter topic " + topic));
    size_t count = 0;
    const auto** resources = rd_kafka_AlterConfigs_result_resources(
        rd_kafka_event_AlterConfigs_result(event.get()), &count);
    for (size_t i = 0; i < count; ++i)
      RW_RETURN_IF_ERROR(KafkaStatus(rd_kafka_ConfigResource_error(resources[i]),
                                     "alter topic " + topic,
                                     rd_kafka_ConfigResource_error_string(resources[i])));
    return Status::Ok();
  }

 private:
  Admin() = default;
  KafkaHandle client_;
  KafkaQueue queue_;
};

std::string Differences(const Configs& wanted, const Configs& found) {
  std::string text;
  for (const auto& [name, value] : wanted) {
    const auto it = found.find(name);
    const std::string is = it == found.end() ? "unset" : Normal(it->second);
    if (is != value) text += (text.empty() ? "" : ", ") + name + " is " + is + ", not " + value;
  }
  return text;
}

int32_t PartitionsOf(const TopicSpec& spec, const TopicOptions& options) {
  return options.partitions > 0 ? options.partitions : spec.partitions;
}

}  // namespace

Result<std::vector<TopicNote>> CheckTopics(const v1::KafkaConfig& config,
                                           const std::vector<TopicSpec>& topics,
                                           const TopicOptions& options, Log* log) {
  RW_ASSIGN_OR_RETURN(const Admin admin, Admin::Make(config, log));
  RW_ASSIGN_OR_RETURN(const auto existing, admin.Partitions());
  std::vector<TopicNote> notes;
  for (const TopicSpec& spec : topics) {
    const std::string name(spec.name);
    const auto it = existing.find(name);
    if (it == existing.end()) {
      notes.push_back({name, "is missing"});
      continue;
    }
    if (it->second != PartitionsOf(spec, options))
      notes.push_back({name, "has " + std::to_string(it->second) + " partitions, not " +
                                 std::to_string(PartitionsOf(spec, options))});
    RW_ASSIGN_OR_RETURN(const Configs found, admin.Describe(name, /*all=*/true));
    const std::string differences = Differences(ConfigsOf(spec), found);
    if (!differences.empty()) notes.push_back({name, differences});
  }
  return notes;
}

Result<std::vector<TopicNote>> ApplyTopics(const v1::KafkaConfig& config,
                                           const std::vector<TopicSpec>& topics,
                                           const TopicOptions& options, Log* log) {
  RW_ASSIGN_OR_RETURN(const Admin admin, Admin::Make(config, log));
  RW_ASSIGN_OR_RETURN(const auto existing, admin.Partitions());
  std::vector<TopicNote> notes;
  for (const TopicSpec& spec : topics) {
    const std::string name(spec.name);
    if (!existing.contains(name)) {
      const int32_t partitions = PartitionsOf(spec, options);
      const Status made = admin.Create(spec, partitions, options.replication);
      if (made.code() == Code::kAlreadyExists) continue;  // somebody else was faster
      RW_RETURN_IF_ERROR(made);
      notes.push_back({name, "made with " + std::to_string(partitions) + " partitions"});
      continue;
    }
    RW_ASSIGN_OR_RETURN(const Configs all, admin.Describe(name, /*all=*/true));
    const std::string differences = Differences(ConfigsOf(spec), all);
    if (differences.empty()) continue;
    RW_ASSIGN_OR_RETURN(Configs own, admin.Describe(name, /*all=*/false));
    for (const auto& [key, value] : ConfigsOf(spec)) own[key] = value;
    RW_RETURN_IF_ERROR(admin.Alter(name, own));
    notes.push_back({name, "set: " + differences});
  }
  return notes;
}

Status DeleteRecordsBefore(const v1::KafkaConfig& config, const std::string& topic,
                           int32_t partition, int64_t offset) {
  RW_ASSIGN_OR_RETURN(const Admin admin, Admin::Make(config, nullptr));
  const KafkaPartitions list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = offset;
  rd_kafka_DeleteRecords_t* request[] = {rd_kafka_DeleteRecords_new(list.get())};
  rd_kafka_DeleteRecords(admin.client(), request, 1,
                         admin.Options(RD_KAFKA_ADMIN_OP_DELETERECORDS).get(), admin.queue());
  rd_kafka_DeleteRecords_destroy(request[0]);
  RW_ASSIGN_OR_RETURN(const KafkaEvent event, admin.Answer("delete records of " + topic));
  const auto* result =
      rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event.get()));
  return KafkaStatus(result->elems[0].err, "delete records of " + topic);
}

}  // namespace racewatch::base
