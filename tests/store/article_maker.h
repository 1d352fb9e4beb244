// Makes tagged articles for the store's tests: a small builder for single cases, and random streams with
// revisions, repeats, both lanes, day precision and unknown dates from a seed.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "base/bus/record.h"
#include "base/clock.h"
#include "racewatch/v1/tagged_article.pb.h"

namespace racewatch::store {

inline constexpr base::UnixMs kTestNow = 1'764'000'000'000;  // 2025-11-24T16:00:00Z

// 32 hexadecimal digits from a number.
std::string TestId(uint64_t n);

// A relevant article on chips_compute, export_controls favoured, lean us, published at `published`.
v1::TaggedArticle MakeArticle(uint64_t n, base::UnixMs published = kTestNow - 3'600'000);

void SetTime(google::protobuf::Timestamp* field, base::UnixMs ms);

base::Record ToRecord(const v1::TaggedArticle& article, int32_t partition = 0, int64_t offset = 0);

struct StreamShape {
  int ids = 60;
  int records = 300;
  int days = 4;          // events lie in the days before kTestNow
  int publishers = 6;
  double late = 0.02;    // published further back than late_days_max
};
std::vector<v1::TaggedArticle> RandomStream(uint64_t seed, const StreamShape& shape = {});

// A live stream in the order of its fetches over four hours, with revisions and repeats, for which alert steps on
// chips_compute come out the same wherever reading pauses: no revision changes that label or the time.
std::vector<v1::TaggedArticle> CrashStream(uint64_t seed, int records = 1400, base::UnixMs now = kTestNow);

}  // namespace racewatch::store
