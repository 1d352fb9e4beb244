// What an edit changed, from the marks of the version sent before: its title and a hash of each paragraph. So no text has
// to be kept to tell an edit, and a text that was taken down cannot come back in one. Pure, any thread.
#pragma once

#include "racewatch/v1/article.pb.h"
#include "racewatch/v1/ingest_state.pb.h"

namespace racewatch::ingest {

// Paragraphs beyond this are not told apart.
inline constexpr int kEditParagraphsMax = 400;

// Sets `edit` of `article` against the version that `before` remembers; leaves it absent when nothing is remembered, or
// when the versions are of different quality (a summary and the whole text are no edit of each other).
void DescribeEdit(const v1::SeenArticle& before, v1::Article* article);

// Remembers this version.
void RememberVersion(const v1::Article& article, v1::SeenArticle* seen);

}  // namespace racewatch::ingest
