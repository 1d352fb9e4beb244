// The table behind NamedCharacter (entities.h).
#pragma once

#include <array>
#include <string_view>

namespace racewatch::ingest::feed {

struct NamedReference {
  std::string_view name;
  std::string_view characters;  // UTF-8
};

extern const std::array<NamedReference, 2125> kNamedReferences;

}  // namespace racewatch::ingest::feed
