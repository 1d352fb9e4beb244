// Replay bench of the burst rule: twelve weeks of synthetic counts, the first four as history. Each series
// has a daily and weekly rhythm, an hourly level that wanders (gamma, autocorrelated: counts are not Poisson),
// seeded bursts and outages with a catch-up peak afterwards. Prints the share of bursts found, the median
// delay from the burst's first article, false alarms per series-month, and alarms from outages. The change-point rule is
// measured alike on a world of its own: every fortnight a level that is two and a half times the usual one for three days.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "racewatch/v1/alert.pb.h"
#include "racewatch/v1/config.pb.h"
#include "store/alert/alert_engine.h"
#include "store/alert/rule_config.h"
#include "tests/fakes/fake_series_view.h"

namespace racewatch {
namespace {

constexpr base::UnixMs kStart = 1767571200000;  // Monday 2026-01-05T00:00:00Z
constexpr size_t kDaySlots = 144, kWeekSlots = 7 * kDaySlots;
constexpr size_t kWeeks = 12, kHistoryWeeks = 4;
constexpr size_t kSlots = kWeeks * kWeekSlots;

struct Seeded {
  size_t first, last;
};

struct World {
  fakes::FakeSeriesView view{kStart, kSlots};
  std::map<std::string, std::vector<Seeded>> bursts;
  std::vector<Seeded> outages;
};

double Rhythm(size_t slot) {
  const double hour = static_cast<double>(slot % kDaySlots) / 6;
  const bool weekend = slot % kWeekSlots >= 5 * kDaySlots;
  return (1 + 0.7 * std::sin((hour - 9) / 24 * 2 * 3.14159265)) * (weekend ? 0.5 : 1.2);
}

// Articles of one series: `per_hour` on average, wander of about 40 % from hour to hour.
void Fill(double per_hour, std::mt19937_64* random, std::vector<fakes::FakeSeriesView::Slot>* slots) {
  double level = 1;
  for (size_t i = 0; i < slots->size(); ++i) {
    if (i % 6 == 0) level = 0.5 * level + 0.5 * std::gamma_distribution<double>(2.0, 0.5)(*random);
    const uint32_t n = std::poisson_distribution<uint32_t>(per_hour / 6 * Rhythm(i) * level)(*random);
    (*slots)[i] = {n, std::min(n, 4u) + 1};
  }
}

// A front-loaded event: `articles` over three hours, half of them within 40 minutes.
Seeded AddBurst(size_t first, double articles, std::mt19937_64* random, std::vector<fakes::FakeSeriesView::Slot>* slots) {
  for (size_t k = 0; k < 18; ++k) {
    const double share = std::exp(-static_cast<double>(k) / 5.8) * (1 - std::exp(-1 / 5.8)) / (1 - std::exp(-18 / 5.8));
    (*slots)[first + k].articles += std::poisson_distribution<uint32_t>(articles * share)(*random);
    (*slots)[first + k].publishers = 5;
  }
  return {first, first + 18};
}

World MakeWorld(uint64_t seed) {
  World world;
  std::mt19937_64 random(seed);
  v1::RuleConfig rule = store::DefaultRules().front();
  const auto series = store::SeriesOfRule(rule);
  for (size_t day = 35; day + 3 < kSlots / kDaySlots; day += 9) world.outages.push_back({day * kDaySlots + 30, day * kDaySlots + 60});
  for (size_t s = 0; s < series.size(); ++s) {
    const std::string key = store::SeriesKeyText(series[s]);
    auto& slots = world.view.Series(key);
    const double per_hour = 0.3 * std::pow(1.25, static_cast<double>(s));  // 0.3 to 17 an hour
    Fill(per_hour, &random, &slots);
    for (size_t day = kHistoryWeeks * 7 + 1; day + 2 < kSlots / kDaySlots; day += 4) {
      if ((day - 35) % 9 == 0) continue;  // the day of an outage
      const size_t first = day * kDaySlots + random() % (kDaySlots - 24);
      const double articles = 25 + per_hour * std::uniform_real_distribution<double>(4, 10)(random);
      world.bursts[key].push_back(AddBurst(first, articles, &random, &slots));
    }
    // An outage loses most articles; what it held back arrives in the two slots after it.
    for (const Seeded& outage : world.outages) {
      uint32_t held = 0;
      for (size_t i = outage.first; i < outage.last; ++i) held += std::exchange(slots[i].articles, 0);
      slots[outage.last].articles += held;
      slots[outage.last].publishers = 5;
    }
  }
  for (const Seeded& outage : world.outages)
    for (size_t i = outage.first; i < outage.last; ++i) world.view.coverage()[i] = 0;
  return world;
}

World MakeChangingWorld(uint64_t seed) {
  World world;
  std::mt19937_64 random(seed);
  const auto series = store::SeriesOfRule(store::DefaultRules().front());
  for (size_t s = 0; s < series.size(); ++s) {
    const std::string key = store::SeriesKeyText(series[s]);
    auto& slots = world.view.Series(key);
    const double per_hour = 0.3 * std::pow(1.25, static_cast<double>(s));
    Fill(per_hour, &random, &slots);
    for (size_t day = kHistoryWeeks * 7 + 2; day + 4 < kSlots / kDaySlots; day += 14) {
      const Seeded change{day * kDaySlots + random() % kDaySlots, (day + 3) * kDaySlots};
      for (size_t i = change.first; i < change.last; ++i)
        slots[i].articles += std::poisson_distribution<uint32_t>(1.5 * per_hour / 6 * Rhythm(i))(random);
      world.bursts[key].push_back(change);
    }
  }
  return world;
}

v1::RuleConfig ChangePointRule() {
  v1::RuleConfig rule;
  rule.set_name("change");
  rule.mutable_series()->set_dimension("theme");
  rule.mutable_change_point();
  return rule;
}

struct Score {
  size_t bursts = 0, found = 0, false_alarms = 0, outage_alarms = 0;
  std::vector<double> delays_min;
};

Score Replay(const World& world, const v1::RuleConfig& rule) {
  store::AlertEngine engine({rule});
  std::map<std::string, std::vector<size_t>> opened;
  for (size_t slot = kHistoryWeeks * kWeekSlots; slot < kSlots; ++slot) {
    const base::UnixMs step = kStart + static_cast<base::UnixMs>(slot + 1) * store::kSlotMs;
    for (const v1::Alert& alert : engine.Step(step, step, world.view))
      if (alert.state() == v1::ALERT_STATE_OPEN) opened[alert.key()].push_back(slot);
  }
  Score score;
  for (const auto& [key, bursts] : world.bursts) {
    std::vector<size_t> alarms = opened[key];
    score.bursts += bursts.size();
    for (const Seeded& burst : bursts) {
      const auto first = std::find_if(alarms.begin(), alarms.end(), [&](size_t a) { return a >= burst.first && a < burst.last + 6; });
      if (first == alarms.end()) continue;
      ++score.found;
      score.delays_min.push_back(static_cast<double>(*first + 1 - burst.first) * 10);
      // A second alarm of the same burst is chatter: it counts as false.
      alarms.erase(first);
    }
    for (const size_t alarm : alarms) {
      const bool outage = std::any_of(world.outages.begin(), world.outages.end(),
                                      [&](const Seeded& o) { return alarm >= o.first && alarm < o.last + 12; });
      ++(outage ? score.outage_alarms : score.false_alarms);
    }
  }
  return score;
}

// Of worlds with the seeds from range(0) on, range(1) of them, made one after the other.
void Report(benchmark::State& state, World (*make)(uint64_t seed), const v1::RuleConfig& rule) {
  Score all;
  double months = 0;
  for (auto _ : state) {
    for (int64_t i = 0; i < state.range(1); ++i) {
      const World world = make(static_cast<uint64_t>(state.range(0) + i));
      const Score score = Replay(world, rule);
      all.bursts += score.bursts;
      all.found += score.found;
      all.false_alarms += score.false_alarms;
      all.outage_alarms += score.outage_alarms;
      all.delays_min.insert(all.delays_min.end(), score.delays_min.begin(), score.delays_min.end());
      months += static_cast<double>(world.bursts.size()) * (kWeeks - kHistoryWeeks) * 7 / 30.4;
    }
  }
  std::sort(all.delays_min.begin(), all.delays_min.end());
  state.counters["bursts"] = static_cast<double>(all.bursts);
  state.counters["found_share"] = static_cast<double>(all.found) / static_cast<double>(all.bursts);
  state.counters["delay_median_min"] = all.delays_min.empty() ? 0 : all.delays_min[all.delays_min.size() / 2];
  state.counters["false_per_series_month"] = static_cast<double>(all.false_alarms) / months;
  state.counters["from_outages"] = static_cast<double>(all.outage_alarms);
}
void SeededBursts(benchmark::State& state) { Report(state, MakeWorld, store::DefaultRules().front()); }
void SeededChanges(benchmark::State& state) { Report(state, MakeChangingWorld, ChangePointRule()); }
BENCHMARK(SeededBursts)->Args({1, 1})->Args({2, 1})->Args({11, 10})->Iterations(1)->Unit(benchmark::kSecond);
BENCHMARK(SeededChanges)->Args({1, 1})->Args({2, 1})->Args({11, 10})->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace
}  // namespace racewatch

BENCHMARK_MAIN();
