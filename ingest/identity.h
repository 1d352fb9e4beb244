// Decides whether a draft is a new article, a revision or a duplicate, from the seen-set and from what other
// fetches in flight have claimed. Used by the loop thread. Errors are those of the seen-set's disk.
// Rule (design: identity): the first key that is known gives the id; a changed entry of the same feed is a
// revision; another feed's version only when it holds more of the article than we have.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "ingest/article_builder.h"
#include "ingest/seen_set.h"

namespace racewatch::ingest {

enum class Verdict {
  kNew,
  kRevision,
  kDuplicate,
  kBusy,  // another fetch is sending a different version of it right now: come back later
};

struct Resolution {
  Verdict verdict = Verdict::kNew;
  ArticleId id;
  std::optional<v1::SeenArticle> known;  // of kRevision and kDuplicate, when it is in the seen-set
  std::vector<ArticleId> new_aliases;    // keys of the draft not yet in the seen-set
};

class Identity {
 public:
  explicit Identity(SeenSet& seen) : seen_(seen) {}

  base::Result<Resolution> Resolve(uint64_t job, const Draft& draft, uint64_t feed_hash);

  // Another article that this key belongs to, if it is known and not `own`.
  base::Result<std::optional<ArticleId>> Known(const ArticleId& key, const ArticleId& own);

  // The draft is on its way: its keys stand for `id` until Release(job).
  void Claim(uint64_t job, const ArticleId& id, const Draft& draft);
  // Alone for a key found later (a page's address).
  void ClaimKey(uint64_t job, const ArticleId& key, const ArticleId& id);
  void Release(uint64_t job);
  // True while a version of it is on its way.
  bool IsClaimed(const ArticleId& id) const { return versions_.contains(id); }

 private:
  struct Claimed {
    uint64_t job;
    ArticleId id;
  };
  base::Result<std::optional<ArticleId>> Lookup(const ArticleId& key);

  SeenSet& seen_;
  std::unordered_map<ArticleId, Claimed> keys_;       // key → id
  struct Version {
    uint64_t job;
    uint64_t entry_hash;
  };
  std::unordered_map<ArticleId, Version> versions_;  // what is on its way, by id
  std::unordered_map<uint64_t, std::vector<ArticleId>> keys_of_job_;
  std::unordered_map<uint64_t, std::vector<ArticleId>> ids_of_job_;
};

}  // namespace racewatch::ingest
