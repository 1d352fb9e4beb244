#include "store/notify/notifier.h"

#include <google/protobuf/util/time_util.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "base/http_client.h"
#include "base/metrics.h"
#include "racewatch/v1/alert.pb.h"
#include "racewatch/v1/config.pb.h"
#include "store/alert/series_view.h"
#include "store/article_row.h"
#include "store/codec.h"
#include "store/notify/webhook.h"
#include "store/notify/mail.h"
#include "store/notify/quiet_hours.h"
#include "store/notify/smtp_client.h"
#include "store/notify/subscriber_config.h"

namespace racewatch::store {
namespace {

using google::protobuf::util::TimeUtil;

constexpr size_t kAnswerBytesMax = 64u << 10;
constexpr size_t kRowsPerLook = 1000;
constexpr char kPlacePrefix[] = "webhook/";  // of mail subscribers too

// What is durable of a subscriber, in Table::kMeta.
struct Place {
  uint64_t done = 0;         // last number of the alert log that is dealt with
  std::string stopped_url;   // answered 410; empty: not stopped

  std::string Encode() const {
    std::string out;
    AppendVarint(&out, 1);
    AppendVarint(&out, done);
    AppendText(&out, stopped_url);
    return out;
  }
  static base::Result<Place> Decode(std::string_view bytes) {
    Reader in(bytes);
    Place out;
    const uint64_t version = in.Varint();
    out.done = in.Varint();
    out.stopped_url = std::string(in.Text());
    if (!in.ok() || version != 1) return base::DataLoss("place of a subscriber: damaged");
    return out;
  }
};

struct Answer {
  std::string outcome;  // label of the metric
  bool delivered = false;
  bool gone = false;
  std::optional<int64_t> retry_after_s;
};

Answer Read(const base::HttpReply& reply) {
  Answer answer;
  if (!reply.status.ok()) {
    answer.outcome = std::string(base::HttpFailureName(reply.failure));
    return answer;
  }
  answer.delivered = reply.http_status >= 200 && reply.http_status < 300;
  answer.gone = reply.http_status == 410;
  answer.outcome = answer.delivered ? "delivered" : answer.gone ? "gone" : "http_" + std::to_string(reply.http_status / 100) + "xx";
  if (const std::string* after = reply.Header("retry-after"); after && !after->empty() && after->size() < 7 &&
      std::all_of(after->begin(), after->end(), [](char c) { return c >= '0' && c <= '9'; }))
    answer.retry_after_s = std::stoll(*after);
  return answer;
}

// Alerts that are passed over, by reason.
struct PassedOver {
  uint64_t silenced = 0;
  uint64_t expired = 0;
  uint64_t trimmed = 0;  // no longer in the log
};

// A webhook, or one of the receivers of a mail subscriber: a mailbox that is full or refuses must not hold up the others.
struct Subscriber {
  v1::SubscriberConfig config;
  std::string receiver;              // of mail; empty: a webhook
  std::vector<std::string> secrets;  // of a webhook
  std::string password;              // of a mail server
  bool served = true;                // false: what it needs could not be read
  Place place;
  bool known = false;     // the place lies in the table
  // The request in flight, and its answer once it is there.
  bool in_flight = false;
  std::optional<Answer> answer;
  uint64_t sent_to = 0;   // the place after it
  PassedOver passed_over; // on the way there
  // After failures:
  uint32_t failures = 0;
  base::UnixMs retry_at_ms = 0;
  // What it is still to be told of, as of the last look.
  size_t waiting = 0;
  base::UnixMs oldest_ms = 0;

  std::string PlaceKey() const { return kPlacePrefix + config.name() + (receiver.empty() ? "" : "/" + receiver); }
};

// What a subscriber is to be told next.
struct Next {
  std::vector<v1::Alert> alerts;
  uint64_t to = 0;        // last number looked at; all up to it are in `alerts` or of no interest
  PassedOver passed_over;
  base::UnixMs oldest_ms = 0;
  double score = 0;       // the greatest, of what lies behind `to` as well where urgency asks for it
};

}  // namespace

struct Notifier::Impl {
  Impl(Engine& e, base::Clock& c, prometheus::Registry& r, base::Log& l)
      : engine(e), clock(c), registry(r), log(l), guarded({.user_agent = "racewatch-webhook"}),
        open({.user_agent = "racewatch-webhook", .allow_private_addresses = true}) {}

  Engine& engine;
  base::Clock& clock;
  prometheus::Registry& registry;
  base::Log& log;
  base::HttpClient guarded;
  base::HttpClient open;  // for those who may have a private address
  SmtpClient mail;
  std::vector<std::shared_ptr<Subscriber>> subscribers;  // shared with callbacks, which may come after a change of configuration
  std::vector<v1::SilenceConfig> silences;
  std::mt19937_64 dice{std::random_device{}()};

  base::Status RestoreOne(Subscriber* subscriber);
  base::Result<Next> Look(const Subscriber& subscriber) const;
  base::Status Move(Subscriber* subscriber, uint64_t done, const Claim& leader);
  base::Status TakeAnswer(Subscriber* subscriber, const Claim& leader);
  base::Status Serve(const std::shared_ptr<Subscriber>& subscriber, const Claim& leader);
  bool Due(const Subscriber& subscriber, const Next& next) const;
  void Start(const std::shared_ptr<Subscriber>& subscriber, const Next& next);
  void StartMail(const std::shared_ptr<Subscriber>& subscriber, const Next& next);
  void StartWebhook(const std::shared_ptr<Subscriber>& subscriber, const Next& next);
  void CancelAll() {
    guarded.CancelAll();
    open.CancelAll();
    mail.CancelAll();
  }
  void BackOff(Subscriber* subscriber, const Answer& answer);
  void CountDelivery(const std::string& subscriber, const std::string& outcome) {
    base::MakeCounter(registry, "racewatch_subscriber_requests_total", "Requests and mails to subscribers, by what came of them.",
                      {{"subscriber", subscriber}, {"outcome", outcome}}).Increment();
  }
  void CountPassedOver(const std::string& subscriber, const PassedOver& alerts) {
    for (const auto& [reason, n] : {std::pair("silenced", alerts.silenced), {"expired", alerts.expired}, {"trimmed", alerts.trimmed}})
      if (n > 0)
        base::MakeCounter(registry, "racewatch_subscriber_dropped_total", "Alerts a subscriber wanted and was not told of.",
                          {{"subscriber", subscriber}, {"reason", reason}}).Increment(static_cast<double>(n));
  }
  void Show() const;
};

// Of several receivers the one that is furthest behind.
void Notifier::Impl::Show() const {
  struct Shown {
    size_t waiting = 0;
    double seconds = 0;
    bool stopped = false;
  };
  std::map<std::string_view, Shown> by_name;
  for (const auto& one : subscribers) {
    Shown& shown = by_name[one->config.name()];
    shown.waiting = std::max(shown.waiting, one->waiting);
    if (one->waiting > 0) shown.seconds = std::max(shown.seconds, static_cast<double>(clock.NowMs() - one->oldest_ms) / 1000);
    shown.stopped = shown.stopped || !one->place.stopped_url.empty();
  }
  for (const auto& [name, shown] : by_name) {
    const auto set = [&, subscriber = std::string(name)](const char* metric, const char* help, double value) {
      base::MakeGauge(registry, metric, help, {{"subscriber", subscriber}}).Set(value);
    };
    set("racewatch_subscriber_waiting_alerts", "Alerts a subscriber is still to be told of; counted up to what one request holds.",
        static_cast<double>(shown.waiting));
    set("racewatch_subscriber_waiting_seconds", "Age of the oldest of them.", shown.seconds);
    set("racewatch_subscriber_stopped", "1 when a subscriber answered 410 and is not asked again.", shown.stopped ? 1 : 0);
  }
}

base::Status Notifier::Impl::RestoreOne(Subscriber* subscriber) {
  RW_ASSIGN_OR_RETURN(auto stored, engine.Get(Table::kMeta, subscriber->PlaceKey()));
  // A new receiver begins where the others are; so does each after a build that knew of one place for all of them.
  if (!stored && !subscriber->receiver.empty()) {
    RW_ASSIGN_OR_RETURN(stored, engine.Get(Table::kMeta, kPlacePrefix + subscriber->config.name()));
  }
  subscriber->place = {};
  subscriber->known = stored.has_value();
  if (stored) {
    RW_ASSIGN_OR_RETURN(subscriber->place, Place::Decode(*stored));
  } else {
    RW_RETURN_IF_ERROR(engine.Scan(Table::kAlertLog, "", "", true, [&](std::string_view key, std::string_view) {
      subscriber->place.done = Reader(key).Big<uint64_t>();
      return false;
    }));
  }
  if (subscriber->place.stopped_url != subscriber->config.url()) subscriber->place.stopped_url.clear();
  return {};
}

base::Result<Next> Notifier::Impl::Look(const Subscriber& subscriber) const {
  Next next;
  next.to = subscriber.place.done;
  const base::UnixMs oldest = clock.NowMs() - int64_t{subscriber.config.give_up_hours()} * kHourMs;
  size_t rows = 0;
  base::Status damage;
  RW_RETURN_IF_ERROR(engine.Scan(Table::kAlertLog, SequenceKey(next.to + 1), "", false, [&](std::string_view key, std::string_view value) {
    const auto number = Reader(key).Big<uint64_t>();
    v1::Alert alert;
    if (!alert.ParseFromArray(value.data(), static_cast<int>(value.size()))) return damage = base::DataLoss("alert log: damaged row"), false;
    if (rows++ == 0 && number > next.to + 1 && subscriber.known) next.passed_over.trimmed = number - next.to - 1;
    const bool full = next.alerts.size() >= subscriber.config.group_max();
    if (rows > kRowsPerLook || (full && subscriber.config.quiet().score_urgent() <= 0)) return false;
    if (!full) next.to = number;
    if (!Wants(subscriber.config, alert)) return true;
    const base::UnixMs at = TimeUtil::TimestampToMilliseconds(alert.at());
    const bool silenced = Silenced(silences, alert), expired = at < oldest;
    if (!silenced && !expired) next.score = std::max(next.score, alert.score());
    if (full) return true;
    if (silenced) return ++next.passed_over.silenced, true;
    if (expired) return ++next.passed_over.expired, true;
    next.oldest_ms = next.alerts.empty() ? at : std::min(next.oldest_ms, at);
    next.alerts.push_back(std::move(alert));
    return true;
  }));
  RW_RETURN_IF_ERROR(damage);
  return next;
}

base::Status Notifier::Impl::Move(Subscriber* subscriber, uint64_t done, const Claim& leader) {
  Place place = subscriber->place;
  place.done = done;
  Batch batch;
  batch.Put(Table::kMeta, subscriber->PlaceKey(), place.Encode());
  if (!subscriber->receiver.empty()) {
    Place furthest = place;
    for (const auto& one : subscribers)
      if (one->config.name() == subscriber->config.name()) furthest.done = std::max(furthest.done, one->place.done);
    batch.Put(Table::kMeta, kPlacePrefix + subscriber->config.name(), furthest.Encode());
  }
  batch.Require(leader);
  RW_RETURN_IF_ERROR(engine.Commit(batch));
  subscriber->place = std::move(place);
  subscriber->known = true;
  return {};
}

void Notifier::Impl::BackOff(Subscriber* subscriber, const Answer& answer) {
  const v1::SubscriberConfig& config = subscriber->config;
  const int64_t longest = int64_t{config.retry_s_max()} * 1000;
  const int64_t step = std::min(longest, int64_t{config.retry_s_min()} * 1000 << std::min(subscriber->failures, 20u));
  // Half of it at random: receivers that went down together are not all asked in the same second.
  int64_t wait = step / 2 + static_cast<int64_t>(dice() % static_cast<uint64_t>(step / 2 + 1));
  if (answer.retry_after_s) wait = std::max(wait, std::min(longest, *answer.retry_after_s * 1000));
  ++subscriber->failures;
  subscriber->retry_at_ms = clock.NowMs() + wait;
}

base::Status Notifier::Impl::TakeAnswer(Subscriber* subscriber, const Claim& leader) {
  if (!subscriber->answer) return {};
  const Answer answer = *std::exchange(subscriber->answer, std::nullopt);
  const std::string& name = subscriber->config.name();
  subscriber->in_flight = false;
  CountDelivery(name, answer.outcome);
  if (answer.delivered) {
    subscriber->failures = 0;
    subscriber->retry_at_ms = 0;
    RW_RETURN_IF_ERROR(Move(subscriber, subscriber->sent_to, leader));
    CountPassedOver(name, subscriber->passed_over);
    return {};
  }
  log.RateLimited(base::LogLevel::kWarn, answer.gone ? "subscriber_gone" : "subscriber_not_told",
                  {{"subscriber", name}, {"receiver", subscriber->receiver.empty() ? "webhook" : subscriber->receiver},
                   {"outcome", answer.outcome}, {"failures", subscriber->failures + 1}});
  if (!answer.gone) return BackOff(subscriber, answer), base::Status();
  subscriber->place.stopped_url = subscriber->config.url();
  return Move(subscriber, subscriber->place.done, leader);
}

bool Notifier::Impl::Due(const Subscriber& subscriber, const Next& next) const {
  const v1::SubscriberConfig& config = subscriber.config;
  if (next.alerts.empty() || clock.NowMs() < subscriber.retry_at_ms) return false;
  const bool urgent = config.quiet().score_urgent() > 0 && next.score >= config.quiet().score_urgent();
  if (config.has_quiet() && !urgent && IsQuiet(config.quiet(), clock.NowMs())) return false;
  return next.alerts.size() >= config.group_max() || clock.NowMs() - next.oldest_ms >= int64_t{config.group_s()} * 1000;
}

void Notifier::Impl::Start(const std::shared_ptr<Subscriber>& subscriber, const Next& next) {
  subscriber->in_flight = true;
  subscriber->sent_to = next.to;
  subscriber->passed_over = next.passed_over;
  if (subscriber->config.has_email()) StartMail(subscriber, next);
  else StartWebhook(subscriber, next);
}

void Notifier::Impl::StartMail(const std::shared_ptr<Subscriber>& subscriber, const Next& next) {
  const v1::SubscriberConfig& config = subscriber->config;
  const v1::EmailConfig& email = config.email();
  MailCall call;
  call.server = email.server();
  call.tls = email.tls() != "none";
  call.ca_file = email.ca_file();
  call.username = email.username();
  call.password = subscriber->password;
  call.from = email.from();
  call.to = subscriber->receiver;
  call.message = MakeMail({config.name(), call.from, {email.to().begin(), email.to().end()}, config.group_s() > 0}, next.alerts, clock.NowMs());
  call.timeout = std::chrono::seconds(config.timeout_s());
  mail.Start(std::move(call), [subscriber](const MailResult& result) {
    subscriber->answer = Answer{.outcome = result.outcome, .delivered = result.delivered};
  });
}

void Notifier::Impl::StartWebhook(const std::shared_ptr<Subscriber>& subscriber, const Next& next) {
  const v1::SubscriberConfig& config = subscriber->config;
  base::HttpCall call = MakeDelivery({config.name(), subscriber->secrets, config.group_s() > 0}, next.alerts, clock.NowMs());
  call.url = config.url();
  call.timeout = std::chrono::seconds(config.timeout_s());
  call.body_bytes_max = kAnswerBytesMax;
  (config.allow_private_addresses() ? open : guarded).Start(std::move(call), [subscriber](const base::HttpReply& reply) {
    subscriber->answer = Read(reply);
  });
}

base::Status Notifier::Impl::Serve(const std::shared_ptr<Subscriber>& subscriber, const Claim& leader) {
  RW_RETURN_IF_ERROR(TakeAnswer(subscriber.get(), leader));
  if (subscriber->in_flight) return {};
  subscriber->waiting = 0;
  if (!subscriber->place.stopped_url.empty() || !subscriber->served) return {};
  RW_ASSIGN_OR_RETURN(Next next, Look(*subscriber));
  subscriber->waiting = next.alerts.size();
  subscriber->oldest_ms = next.oldest_ms;
  // What was passed over without a request behind it is dealt with now, and so is a new subscriber's beginning.
  if (next.alerts.empty() && (next.to != subscriber->place.done || !subscriber->known)) {
    RW_RETURN_IF_ERROR(Move(subscriber.get(), next.to, leader));
    CountPassedOver(subscriber->config.name(), next.passed_over);
    return {};
  }
  if (!Due(*subscriber, next)) return {};
  Start(subscriber, next);
  return {};
}

Notifier::Notifier(Engine& engine, base::Clock& clock, prometheus::Registry& registry, base::Log& log)
    : impl_(std::make_unique<Impl>(engine, clock, registry, log)) {}
Notifier::~Notifier() = default;

void Notifier::Configure(const std::vector<v1::SubscriberConfig>& subscribers, const std::vector<v1::SilenceConfig>& silences) {
  impl_->subscribers.clear();
  impl_->CancelAll();
  impl_->silences = silences;
  for (const v1::SubscriberConfig& config : subscribers) {
    Subscriber subscriber;
    subscriber.config = SubscriberWithDefaults(config);
    auto secrets = ReadSecrets(config);
    auto password = ReadPassword(config.email());
    const base::Status status = secrets.ok() ? password.status() : secrets.status();
    subscriber.served = status.ok();
    if (status.ok()) {
      subscriber.secrets = std::move(secrets).value();
      subscriber.password = std::move(password).value();
    } else {
      impl_->CountDelivery(config.name(), "no_secret");
      impl_->log.Error("subscriber_not_served", {{"subscriber", config.name()}, {"why", status.message()}});
    }
    if (!config.has_email()) impl_->subscribers.push_back(std::make_shared<Subscriber>(subscriber));
    for (const std::string& receiver : std::set<std::string>(config.email().to().begin(), config.email().to().end())) {
      subscriber.receiver = receiver;
      impl_->subscribers.push_back(std::make_shared<Subscriber>(subscriber));
    }
  }
}

base::Status Notifier::Restore() {
  // What is in flight may have been overtaken by another leader: its answer says nothing about the place as it is now.
  impl_->CancelAll();
  for (const auto& subscriber : impl_->subscribers) {
    subscriber->in_flight = false;
    subscriber->answer.reset();
  }
  for (const auto& subscriber : impl_->subscribers) RW_RETURN_IF_ERROR(impl_->RestoreOne(subscriber.get()));
  return {};
}

base::Status Notifier::Run(const Claim& leader, std::chrono::milliseconds wait) {
  if (impl_->subscribers.empty()) return {};
  // One of the clients waits, for all of them.
  const bool by_mail = impl_->mail.in_flight() > 0, at_open = impl_->open.in_flight() > 0;
  constexpr auto kNoWait = std::chrono::milliseconds(0);
  if (impl_->guarded.in_flight() > 0) impl_->guarded.Poll(at_open || by_mail ? kNoWait : wait);
  if (at_open) impl_->open.Poll(by_mail ? kNoWait : wait);
  if (by_mail) impl_->mail.Poll(wait);
  for (const auto& subscriber : impl_->subscribers) RW_RETURN_IF_ERROR(impl_->Serve(subscriber, leader));
  impl_->Show();
  return {};
}

bool Notifier::busy() const {
  return std::any_of(impl_->subscribers.begin(), impl_->subscribers.end(), [](const auto& one) { return one->in_flight; });
}

}  // namespace racewatch::store
