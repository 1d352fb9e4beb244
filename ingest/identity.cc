#include "ingest/identity.h"

namespace racewatch::ingest {
namespace {

// A guid that comes back with another title, another date and an unknown address is a reused one
// ("1", "2", …, "latest"), not a moved article.
bool GuidIsReused(const Draft& draft, const v1::SeenArticle& known) {
  if (draft.keys.front() == *draft.guid_key) return false;  // nothing but the guid identifies it
  const base::UnixMs published = draft.claims.feed ? draft.claims.feed->time_ms : 0;
  return draft.title_hash != known.title_hash() && published != known.published_ms();
}

}  // namespace

base::Result<std::optional<ArticleId>> Identity::Lookup(const ArticleId& key) {
  const auto it = keys_.find(key);
  if (it != keys_.end()) return std::optional(it->second.id);
  return seen_.FindAlias(key);
}

base::Result<std::optional<ArticleId>> Identity::Known(const ArticleId& key, const ArticleId& own) {
  RW_ASSIGN_OR_RETURN(std::optional<ArticleId> id, Lookup(key));
  if (id && *id == own) id.reset();
  return id;
}

base::Result<Resolution> Identity::Resolve(uint64_t job, const Draft& draft, uint64_t feed_hash) {
  Resolution out;
  bool found = false;
  for (const ArticleId& key : draft.keys) {
    RW_ASSIGN_OR_RETURN(const std::optional<ArticleId> id, Lookup(key));
    if (!id) {
      out.new_aliases.push_back(key);
      continue;
    }
    if (found) continue;
    RW_ASSIGN_OR_RETURN(std::optional<v1::SeenArticle> known, seen_.Find(*id));
    if (known && draft.guid_key == key && GuidIsReused(draft, *known)) {
      out.new_aliases.push_back(key);  // from now on it names the newer article
      continue;
    }
    out.id = *id;
    out.known = std::move(known);
    found = true;
  }
  if (!found) {
    out.id = draft.keys.front();
    return out;
  }
  const auto on_its_way = versions_.find(out.id);
  if (on_its_way != versions_.end()) {
    const Version& version = on_its_way->second;
    const bool same = version.entry_hash == draft.entry_hash || version.job == job;
    out.verdict = same ? Verdict::kDuplicate : Verdict::kBusy;
    out.known.reset();
    return out;
  }
  if (!out.known) return out;  // its mark has expired: new again, under the old id
  const v1::SeenArticle& known = *out.known;
  const bool same_feed = known.feed_hash() == feed_hash;
  const bool changed = known.entry_hash() != draft.entry_hash;
  const bool better = draft.article.body_quality() > known.body_quality();
  out.verdict = changed && (same_feed || better) ? Verdict::kRevision : Verdict::kDuplicate;
  return out;
}

void Identity::Claim(uint64_t job, const ArticleId& id, const Draft& draft) {
  for (const ArticleId& key : draft.keys) ClaimKey(job, key, id);
  ClaimKey(job, id, id);
  if (versions_.emplace(id, Version{job, draft.entry_hash}).second) ids_of_job_[job].push_back(id);
}

void Identity::ClaimKey(uint64_t job, const ArticleId& key, const ArticleId& id) {
  if (keys_.emplace(key, Claimed{job, id}).second) keys_of_job_[job].push_back(key);
}

void Identity::Release(uint64_t job) {
  for (const ArticleId& key : keys_of_job_[job]) keys_.erase(key);
  for (const ArticleId& id : ids_of_job_[job]) versions_.erase(id);
  keys_of_job_.erase(job);
  ids_of_job_.erase(job);
}

}  // namespace racewatch::ingest
