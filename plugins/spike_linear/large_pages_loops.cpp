#include "large_pages.h"

#include "memory.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <stdlib.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace spikehalt
{
namespace
{

constexpr size_t kPAGE = 2U << 20;
constexpr size_t kBLOCK = 4 * kPAGE;

size_t roundedUp(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

//! Several large pages, from which memory is taken from the front to the back.
class Block
{
public:
    explicit Block(size_t bytes)
        : mSize(roundedUp(bytes, kPAGE))
        , mFirst(static_cast<unsigned char*>(aligned_alloc(kPAGE, mSize)))
    {
        if (mFirst == nullptr)
        {
            throw std::bad_alloc();
        }
#if defined(__linux__)
        madvise(mFirst, mSize, MADV_HUGEPAGE); // a wish: small pages do as well
#endif
    }
    Block(Block const&) = delete;
    Block& operator=(Block const&) = delete;
    ~Block() { free(mFirst); }

    bool has(size_t bytes) const { return mUsed + bytes <= mSize; }

    void* take(size_t bytes)
    {
        void* const taken = mFirst + mUsed;
        mUsed += bytes;
        return taken;
    }

private:
    size_t mSize;
    size_t mUsed = 0;
    unsigned char* mFirst;
};

} // namespace

std::shared_ptr<void> takeLargePages(size_t bytes)
{
    static std::mutex mutex;
    static std::weak_ptr<Block> latest; // it goes with the last weights in it
    std::lock_guard<std::mutex> const lock(mutex);
    size_t const whole = roundedUp(bytes, kLINE);
    std::shared_ptr<Block> block = latest.lock();
    if (block == nullptr || !block->has(whole))
    {
        block = std::make_shared<Block>(std::max(whole, kBLOCK));
        latest = block;
    }
    void* const taken = block->take(whole);
    return std::shared_ptr<void>(block, taken);
}

} // namespace spikehalt
