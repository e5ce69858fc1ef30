#include "costs.h"

#include "weights.h"

#include <algorithm>
#include <chrono>
#include <stdlib.h>
#include <vector>

namespace spikehalt
{
namespace
{

constexpr int64_t kINPUTS = 384;
constexpr int64_t kCOLUMNS = 384;
constexpr int64_t kROWS = 2 * kDENSE_ROWS;
constexpr int64_t kEVERY = 5; //!< one activation of so many is not zero
constexpr int kREPEATS = 7;

//! Seconds.
struct Costs
{
    double list;     //!< of a place
    double add;      //!< of a place and column
    double multiply; //!< of an input and column
};

template <typename Work>
double fastest(Work const& work)
{
    using Clock = std::chrono::steady_clock;
    double best = 1.0;
    for (int repeat = 0; repeat < kREPEATS; ++repeat)
    {
        Clock::time_point const begin = Clock::now();
        work();
        best = std::min(best, std::chrono::duration<double>(Clock::now() - begin).count());
    }
    return best;
}

//! Spikes in places that no branch predictor knows.
template <typename X>
std::vector<X> spikes()
{
    std::vector<X> x(kROWS * kINPUTS);
    uint32_t state = 1;
    for (X& each : x)
    {
        state = state * 1664525U + 1013904223U;
        each = static_cast<X>((state >> 16) % kEVERY == 0);
    }
    return x;
}

template <typename Kind>
Costs measure()
{
    using X = typename Kind::X;
    std::vector<typename Kind::W> const ones(kINPUTS * kCOLUMNS, typename Kind::W{1});
    Weights<Kind> const weights(ones.data(), kINPUTS, kCOLUMNS, 0);
    std::vector<X> const x = spikes<X>();
    Scratch scratch;
    std::vector<typename Kind::List> lists(kROWS, Kind::emptyList(scratch, 0));
    for (typename Kind::List& each : lists)
    {
        each = Kind::emptyList(scratch, kINPUTS);
    }
    Aligned<typename Kind::Sum> const sums(kDENSE_ROWS * kCOLUMNS);
    int64_t places = 0;
    double const list = fastest([&] {
        places = 0;
        for (int64_t row = 0; row < kROWS; ++row)
        {
            places += Kind::count(weights.loops(), x.data() + row * kINPUTS, kINPUTS).nonZero;
            weights.loops().list(x.data() + row * kINPUTS, kINPUTS, kCOLUMNS, lists[static_cast<size_t>(row)]);
        }
    });
    double const add = fastest([&] {
        for (int64_t first = 0; first < kCOLUMNS; first += weights.listedTile(first).count)
        {
            for (typename Kind::List const& each : lists)
            {
                typename Weights<Kind>::ListTap const tap{&each, weights.row(0)};
                weights.addListed(&tap, 1, weights.listedTile(first), sums.data());
            }
        }
    });
    double const multiply = fastest([&] {
        X const* rows[kDENSE_ROWS];
        for (int64_t first = 0; first < kCOLUMNS; first += weights.denseTile(first).count)
        {
            for (int64_t row = 0; row < kROWS; ++row)
            {
                rows[row % kDENSE_ROWS] = x.data() + row * kINPUTS;
                if (row % kDENSE_ROWS == kDENSE_ROWS - 1)
                {
                    weights.multiply(rows, kDENSE_ROWS, 1, {0, kINPUTS}, weights.denseTile(first), sums.data(), kCOLUMNS);
                }
            }
        }
    });
    auto const all = static_cast<double>(places);
    return {list / all, add / (all * kCOLUMNS), multiply / (kROWS * kINPUTS * kCOLUMNS)};
}

double given()
{
    char const* const text = getenv("SPIKEHALT_BREAK_EVEN");
    return text == nullptr ? -1.0 : atof(text);
}

} // namespace

template <typename Kind>
double breakEven(int64_t columns, int64_t taps)
{
    static double const kGIVEN = given();
    if (kGIVEN >= 0.0 || taps == 0 || Kind::loops().multiply == nullptr)
    {
        return std::max(kGIVEN, 0.0);
    }
    static Costs const kCOSTS = measure<Kind>();
    auto const wide = static_cast<double>(columns);
    double const listed = kCOSTS.list / static_cast<double>(taps) + kCOSTS.add * wide;
    return kCOSTS.multiply * wide / listed;
}

template double breakEven<Bytes>(int64_t columns, int64_t taps);
template double breakEven<Floats>(int64_t columns, int64_t taps);

} // namespace spikehalt
