//! Kernels on the host: each CUDA thread is a fiber, blocks run one after the other.
//!
//! Fibers of a warp meet in shuffles and ballots, those of a block in __syncthreads. A round in
//! which no fiber gets on (some left a warp or a block that the others wait for) is an error.
//!
//! $SPIKEHALT_EMULATED_ORDER says which fiber runs first: "forward" (as without it), "backward", or a
//! number that shuffles fibers and blocks anew in every round. A result that depends on it is a race.
//! Shared memory holds 0xFF when a block starts, which no kernel may read.
#pragma once

#include "cuda_runtime_api.h"

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <tuple>
#include <utility>

#define __host__
#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(threads)
// Blocks run one after the other, so one copy of a block's memory is enough.
#define __shared__ static
#define SPIKEHALT_DYNAMIC_SHARED(name) uint8_t* const name = Emulation::instance().dynamicShared()

//! The order in which threads or blocks get their turns.
class Order
{
public:
    void arrange(unsigned int count)
    {
        char const* const wanted = std::getenv("SPIKEHALT_EMULATED_ORDER");
        mIndices.resize(count);
        std::iota(mIndices.begin(), mIndices.end(), 0U);
        if (wanted == nullptr || std::strcmp(wanted, "forward") == 0)
        {
            return;
        }
        if (std::strcmp(wanted, "backward") == 0)
        {
            std::reverse(mIndices.begin(), mIndices.end());
            return;
        }
        static std::mt19937 generator(static_cast<unsigned int>(std::atoi(wanted)));
        std::shuffle(mIndices.begin(), mIndices.end(), generator);
    }

    unsigned int operator[](unsigned int place) const
    {
        return mIndices[place];
    }

private:
    std::vector<unsigned int> mIndices;
};

class Emulation
{
public:
    static Emulation& instance()
    {
        static Emulation emulation;
        return emulation;
    }

    //! Run `body` as a block of `threads` fibers.
    void runBlock(unsigned int threads, size_t sharedBytes, std::function<void()> const& body)
    {
        mBody = &body;
        mShared.resize(sharedBytes / 16 + 1);
        std::memset(mShared.data(), 0xFF, mShared.size() * sizeof(Line));
        mWarps.assign((threads + kWARP - 1) / kWARP, Meeting{});
        mBlock = Meeting{};
        while (mFibers.size() < threads)
        {
            mFibers.push_back(std::make_unique<Fiber>());
        }
        mThreads = threads;
        for (unsigned int i = 0; i < threads; ++i)
        {
            mFibers[i]->state = State::kNEW;
        }
        runToEnd();
    }

    uint8_t* dynamicShared()
    {
        return reinterpret_cast<uint8_t*>(mShared.data());
    }

    unsigned int thread() const
    {
        return mCurrent;
    }

    //! Give `bits` to the warp; returns what its 32 lanes gave.
    uint64_t const* exchange(uint64_t bits)
    {
        Meeting& warp = mWarps[mCurrent / kWARP];
        uint64_t const generation = warp.generation;
        warp.values[generation % 2][mCurrent % kWARP] = bits;
        meet(warp, kWARP);
        return warp.values[generation % 2];
    }

    void synchronizeBlock()
    {
        meet(mBlock, mThreads);
    }

    static dim3& blockIndex()
    {
        static dim3 index;
        return index;
    }

private:
    static constexpr unsigned int kWARP = 32;
    static constexpr size_t kSTACK = 64 * 1024;

    enum class State
    {
        kNEW,
        kRUNNING,
        kDONE
    };
    struct Fiber
    {
        State state = State::kNEW;
        ucontext_t start{};
        jmp_buf resume{};
        std::unique_ptr<char[]> stack{new char[kSTACK]};
    };
    struct Meeting
    {
        unsigned int arrived = 0;
        uint64_t generation = 0;
        uint64_t values[2][kWARP] = {};
    };

    static void enter()
    {
        Emulation& self = instance();
        (*self.mBody)();
        self.mFibers[self.mCurrent]->state = State::kDONE;
        self.mProgress = true;
        _longjmp(self.mScheduler, 1);
    }

    void meet(Meeting& meeting, unsigned int members)
    {
        uint64_t const generation = meeting.generation;
        if (++meeting.arrived == members)
        {
            meeting.arrived = 0;
            ++meeting.generation;
            mProgress = true;
            return;
        }
        while (meeting.generation == generation)
        {
            if (_setjmp(mFibers[mCurrent]->resume) == 0)
            {
                _longjmp(mScheduler, 1);
            }
        }
    }

    void runToEnd()
    {
        for (mProgress = true; mProgress;)
        {
            mProgress = false;
            mRemaining = 0;
            mOrder.arrange(mThreads);
            for (mPlace = 0; mPlace < mThreads; ++mPlace)
            {
                mCurrent = mOrder[mPlace];
                mRemaining += mFibers[mCurrent]->state != State::kDONE;
                step(*mFibers[mCurrent]);
            }
        }
        if (mRemaining != 0)
        {
            std::fprintf(stderr, "emulation: %u threads wait for others that never come\n", mRemaining);
            std::abort();
        }
    }

    void step(Fiber& fiber)
    {
        if (fiber.state == State::kDONE || _setjmp(mScheduler) != 0)
        {
            return;
        }
        if (fiber.state == State::kRUNNING)
        {
            _longjmp(fiber.resume, 1);
        }
        fiber.state = State::kRUNNING;
        mProgress = true;
        getcontext(&fiber.start);
        fiber.start.uc_stack.ss_sp = fiber.stack.get();
        fiber.start.uc_stack.ss_size = kSTACK;
        fiber.start.uc_link = nullptr;
        makecontext(&fiber.start, &Emulation::enter, 0);
        setcontext(&fiber.start);
    }

    struct alignas(16) Line
    {
        uint8_t bytes[16];
    };

    std::function<void()> const* mBody = nullptr;
    std::vector<std::unique_ptr<Fiber>> mFibers;
    std::vector<Meeting> mWarps;
    std::vector<Line> mShared;
    Meeting mBlock;
    jmp_buf mScheduler{};
    unsigned int mThreads = 0;
    unsigned int mCurrent = 0;
    unsigned int mPlace = 0;
    Order mOrder;
    unsigned int mRemaining = 0;
    bool mProgress = false;
};

#define threadIdx (dim3(Emulation::instance().thread()))
#define blockIdx (Emulation::blockIndex())

template <typename... Parameters, size_t... Indices>
void emulatedCall(void (*kernel)(Parameters...), std::tuple<Parameters...>& arguments,
    std::index_sequence<Indices...>)
{
    kernel(std::get<Indices>(arguments)...);
}

template <typename... Parameters, size_t... Indices>
std::tuple<Parameters...> emulatedArguments(void** pointers, std::index_sequence<Indices...>)
{
    return {*static_cast<Parameters*>(pointers[Indices])...};
}

template <typename... Parameters>
cudaError_t cudaLaunchKernel(void (*kernel)(Parameters...), dim3 grid, dim3 block, void** pointers,
    size_t sharedBytes, cudaStream_t stream)
{
    using Indices = std::index_sequence_for<Parameters...>;
    if (grid.x == 0 || block.x == 0 || block.x > 1024 || sharedBytes > 48 * 1024)
    {
        return cudaErrorInvalidValue;
    }
    auto arguments = emulatedArguments<Parameters...>(pointers, Indices{});
    return emulatedSubmit(stream, [=]() mutable {
        Order order;
        order.arrange(grid.x);
        for (unsigned int place = 0; place < grid.x; ++place)
        {
            Emulation::blockIndex() = dim3(order[place]);
            Emulation::instance().runBlock(
                block.x, sharedBytes, [&] { emulatedCall(kernel, arguments, Indices{}); });
        }
    });
}

template <typename T>
uint64_t emulatedBits(T value)
{
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    return bits;
}

template <typename T>
T emulatedValue(uint64_t bits)
{
    T value;
    std::memcpy(&value, &bits, sizeof(T));
    return value;
}

template <typename T>
T __shfl_sync(unsigned int, T value, int lane)
{
    return emulatedValue<T>(Emulation::instance().exchange(emulatedBits(value))[lane]);
}

template <typename T>
T __shfl_xor_sync(unsigned int, T value, int mask)
{
    int const lane = static_cast<int>(Emulation::instance().thread() % 32);
    return emulatedValue<T>(Emulation::instance().exchange(emulatedBits(value))[lane ^ mask]);
}

inline unsigned int __ballot_sync(unsigned int, bool predicate)
{
    uint64_t const* const given = Emulation::instance().exchange(predicate ? 1 : 0);
    unsigned int lanes = 0;
    for (unsigned int lane = 0; lane < 32; ++lane)
    {
        lanes |= static_cast<unsigned int>(given[lane]) << lane;
    }
    return lanes;
}

inline void __syncthreads()
{
    Emulation::instance().synchronizeBlock();
}

inline int __popc(unsigned int value)
{
    return __builtin_popcount(value);
}

inline int __ffs(int value)
{
    return __builtin_ffs(value);
}
