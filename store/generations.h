// The list of generations: whose labels count. Generation 0 holds what the tagger says; each re-tag of the history makes
// another, counted beside the active one until it takes its place in one transaction. The list is one row of Table::kMeta,
// changed with Batch::Replace only, so that two who change it at once do not overwrite each other. Plain values, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "store/engine.h"

namespace racewatch::store {

inline constexpr std::string_view kGenerationsKey = "generations";

struct Generation {
  enum class State : uint8_t {
    kBuilding = 1,   // filled from racewatch.retag.v1, read by nobody
    kSwitching = 2,  // the same; all stores stop counting for a moment, so that it can become complete
    kActive = 3,     // what readers see and the tagged topics are counted into
    kClosed = 4,     // was active; its articles are being removed, its series stay
    kKept = 5,       // only its series are left
    kAbandoned = 6,  // never was active; everything of it is being removed
  };
  uint32_t number = 0;
  State state = State::kBuilding;
  std::string model_version;
  base::UnixMs begun_ms = 0;
  base::UnixMs switched_ms = 0;  // became active; 0: never
};

struct Generations {
  uint32_t active = 0;
  uint32_t last = 0;            // greatest number given so far
  std::vector<Generation> all;  // generation 0 only once another has been active

  const Generation* Building() const;  // the one being built or switched to, of which there is at most one
  const Generation* Find(uint32_t number) const;
  bool switching() const;
  std::string Encode() const;
  static base::Result<Generations> Decode(const std::optional<std::string>& stored);
};

std::string_view StateName(Generation::State state);

base::Result<Generations> ReadGenerations(const View& whole);

}  // namespace racewatch::store
