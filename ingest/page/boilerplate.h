// Rules of thumb about what is no article text: words in class, id and role that name page furniture, and short
// lines that belong to the page rather than the article. Constant data and pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "ingest/page/html_tree.h"

namespace racewatch::ingest::page {

namespace hint_bits {
inline constexpr uint8_t kFurniture = 1;  // navigation, share bar, newsletter box, related list, advert…
inline constexpr uint8_t kComments = 2;   // readers' comments
inline constexpr uint8_t kContent = 4;    // names the article's own text
inline constexpr uint8_t kHidden = 8;     // not shown
inline constexpr uint8_t kBody = 16;      // names nothing but the article's body (articleBody, entry-content)
}  // namespace hint_bits

// What tag, class, id, role and style of the element say.
uint8_t ElementHints(const Tree& tree, uint32_t node);

// A line that stands inside the article but is no part of it: "Share this", "Advertisement", "5 min read".
bool IsFurnitureLine(std::string_view text);

// A line after which the article is over: "Related articles", "Comments", "About the author".
bool EndsArticle(std::string_view text);

// Starts like a pointer to another article: "Also read: …", "See also …". Meant for lines that are mostly a link.
bool IsPointer(std::string_view text);

}  // namespace racewatch::ingest::page
