//! Memory for weights, in large pages where the system has them.
#ifndef SPIKEHALT_LARGE_PAGES_H
#define SPIKEHALT_LARGE_PAGES_H

#include <memory>
#include <stddef.h>
#include <stdint.h>

namespace spikehalt
{

//! `bytes` on a cache line, not initialised. Weights of many layers lie side by side: all of them are read at
//! every call of a network, and in pages of 4 KiB finding them takes as long as fetching them.
std::shared_ptr<void> takeLargePages(size_t bytes);

//! So many weights.
template <typename W>
class WeightMemory
{
public:
    explicit WeightMemory(int64_t count = 0)
        : mMemory(count == 0 ? nullptr : takeLargePages(static_cast<size_t>(count) * sizeof(W)))
    {
    }

    W* data() const { return static_cast<W*>(mMemory.get()); }

private:
    std::shared_ptr<void> mMemory;
};

} // namespace spikehalt

#endif
