// Loops over rows on every core. Used by the second tier's computations alone.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace racewatch::classify {

// Calls each(0) to each(count - 1) on OpenMP's threads. What they write is seen after it, and by them what was written before;
// ThreadSanitizer has to be told so, since GCC's OpenMP is not built for it, and it must not look at how `count` and `each`
// are handed over. What `each` does is watched. `each` must not throw.
template <class Each>
#if defined(__SANITIZE_THREAD__)
__attribute__((no_sanitize("thread"))) void ForEach(size_t count, const Each& each) {
  static char team;
  __tsan_release(&team);
#pragma omp parallel
  {
    __tsan_acquire(&team);
#pragma omp for
    for (size_t i = 0; i < count; ++i) each(i);
    __tsan_release(&team);
  }
  __tsan_acquire(&team);
}
#else
void ForEach(size_t count, const Each& each) {
#pragma omp parallel for
  for (size_t i = 0; i < count; ++i) each(i);
}
#endif

}  // namespace racewatch::classify
