//! Memory in whole cache lines: of weights, and of what a call of a kernel needs for its time.
#ifndef SPIKEHALT_MEMORY_H
#define SPIKEHALT_MEMORY_H

#include <memory>
#include <stddef.h>
#include <stdint.h>
#include <vector>

namespace spikehalt
{

constexpr size_t kLINE = 64;

//! Memory whose address is a multiple of a cache line, not initialised.
template <typename T>
class Aligned
{
public:
    explicit Aligned(int64_t count = 0)
        : mBytes(new unsigned char[static_cast<size_t>(count) * sizeof(T) + kLINE])
    {
        auto const address = reinterpret_cast<uintptr_t>(mBytes.get());
        mFirst = reinterpret_cast<T*>(mBytes.get() + (kLINE - address % kLINE));
    }

    T* data() const { return mFirst; }

private:
    std::unique_ptr<unsigned char[]> mBytes;
    T* mFirst;
};

//! Memory for one call at a time, kept by a thread for its next one: fresh pages would cost more than the
//! sums. The first call that needs more takes it in pieces; the next has one of that size.
class Scratch
{
public:
    //! The thread's own, empty again.
    static Scratch& empty()
    {
        static thread_local Scratch scratch;
        scratch.clear();
        return scratch;
    }

    //! Not initialised, on a cache line.
    template <typename T>
    T* take(int64_t count)
    {
        size_t const bytes = (static_cast<size_t>(count) * sizeof(T) + kLINE - 1) / kLINE * kLINE;
        mWanted += bytes;
        if (mWanted > mSize)
        {
            mPieces.emplace_back(static_cast<int64_t>(bytes));
            return reinterpret_cast<T*>(mPieces.back().data());
        }
        return reinterpret_cast<T*>(mWhole.data() + mWanted - bytes);
    }

private:
    void clear()
    {
        if (mWanted > mSize)
        {
            mPieces.clear();
            mWhole = Aligned<unsigned char>(static_cast<int64_t>(mWanted));
            mSize = mWanted;
        }
        mWanted = 0;
    }

    Aligned<unsigned char> mWhole;
    std::vector<Aligned<unsigned char>> mPieces;
    size_t mSize = 0;
    size_t mWanted = 0;
};

//! Ask for memory that is read soon, part by part: where weights of all layers do not fit the caches, waiting
//! for them where they are needed takes longer than computing with them.
class Ahead
{
public:
    //! `bytes` in so many parts.
    Ahead(void const* first, int64_t bytes, int64_t parts)
        : mFirst(static_cast<char const*>(first))
        , mLines((bytes + static_cast<int64_t>(kLINE) - 1) / static_cast<int64_t>(kLINE))
        , mPart((mLines + parts - 1) / parts)
    {
    }

    void fetch(int64_t part) const
    {
        int64_t const end = mPart * (part + 1);
        for (int64_t line = mPart * part; line < (end < mLines ? end : mLines); ++line)
        {
            __builtin_prefetch(mFirst + line * static_cast<int64_t>(kLINE), 0, kINTO_SECOND_LEVEL);
        }
    }

private:
    static constexpr int kINTO_SECOND_LEVEL = 2;

    char const* mFirst;
    int64_t mLines;
    int64_t mPart; //!< lines
};

} // namespace spikehalt

#endif
