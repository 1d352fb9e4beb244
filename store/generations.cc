#include "store/generations.h"

#include "store/codec.h"

namespace racewatch::store {
namespace {

constexpr uint64_t kLayout = 1;
constexpr auto kLastState = static_cast<uint8_t>(Generation::State::kAbandoned);

}  // namespace

const Generation* Generations::Building() const {
  for (const Generation& one : all)
    if (one.state == Generation::State::kBuilding || one.state == Generation::State::kSwitching) return &one;
  return nullptr;
}

const Generation* Generations::Find(uint32_t number) const {
  for (const Generation& one : all)
    if (one.number == number) return &one;
  return nullptr;
}

bool Generations::switching() const {
  const Generation* one = Building();
  return one != nullptr && one->state == Generation::State::kSwitching;
}

std::string Generations::Encode() const {
  std::string out;
  AppendVarint(&out, kLayout);
  AppendVarint(&out, active);
  AppendVarint(&out, last);
  AppendVarint(&out, all.size());
  for (const Generation& one : all) {
    AppendVarint(&out, one.number);
    out.push_back(static_cast<char>(one.state));
    AppendText(&out, one.model_version);
    AppendSigned(&out, one.begun_ms);
    AppendSigned(&out, one.switched_ms);
  }
  return out;
}

base::Result<Generations> Generations::Decode(const std::optional<std::string>& stored) {
  Generations out;
  if (!stored) return out;
  Reader in(*stored);
  const uint64_t layout = in.Varint();
  out.active = static_cast<uint32_t>(in.Varint());
  out.last = static_cast<uint32_t>(in.Varint());
  bool known = layout == kLayout;
  for (uint64_t left = in.Varint(); left > 0 && in.ok(); --left) {
    Generation one;
    one.number = static_cast<uint32_t>(in.Varint());
    const auto state = in.Big<uint8_t>();
    known = known && state >= 1 && state <= kLastState;
    one.state = static_cast<Generation::State>(state);
    one.model_version = std::string(in.Text());
    one.begun_ms = in.Signed();
    one.switched_ms = in.Signed();
    out.all.push_back(std::move(one));
  }
  if (!in.ok() || !in.done() || !known) return base::DataLoss("list of generations: damaged");
  return out;
}

std::string_view StateName(Generation::State state) {
  switch (state) {
    case Generation::State::kBuilding: return "building";
    case Generation::State::kSwitching: return "switching";
    case Generation::State::kActive: return "active";
    case Generation::State::kClosed: return "closed";
    case Generation::State::kKept: return "kept";
    case Generation::State::kAbandoned: return "abandoned";
  }
  return "";
}

base::Result<Generations> ReadGenerations(const View& whole) {
  RW_ASSIGN_OR_RETURN(const auto stored, whole.Get(Table::kMeta, kGenerationsKey));
  return Generations::Decode(stored);
}

}  // namespace racewatch::store
