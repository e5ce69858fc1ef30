#include "costs.h"

#include "../onnxruntime/instructions.h"
#include "../onnxruntime/measured.h"
#include "products.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <stdlib.h>
#include <string>
#include <vector>

namespace spikehalt
{
namespace
{

constexpr int64_t kINPUTS = 384;
//! Wider layers cost the same for every column.
constexpr int64_t kMOST_COLUMNS = 384;
constexpr int64_t kROWS = 2 * kDENSE_ROWS;
constexpr uint32_t kEVERY = 3; //!< one activation of so many is not zero: about where the choice is close
constexpr uint32_t kHIGHEST = 4;
constexpr int kREPEATS = 25;
//! Weights are not in the caches where layers take turns, which costs lists more.
constexpr double kCAUTION = 0.8;

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

//! Small integers in places that no branch predictor knows.
template <typename X>
std::vector<X> activations()
{
    std::vector<X> x(kROWS * kINPUTS);
    uint32_t state = 1;
    for (X& each : x)
    {
        state = state * 1664525U + 1013904223U;
        each = static_cast<X>((state >> 16) % kEVERY == 0 ? 1 + (state >> 28) % kHIGHEST : 0);
    }
    return x;
}

//! Rows of activations, of which each is also `taps` lists that other rows share.
template <typename Kind>
class Trial
{
public:
    using X = typename Kind::X;

    Trial(int64_t columns, int64_t taps)
        : mTaps(taps)
        , mOnes(static_cast<size_t>(kINPUTS * columns), typename Kind::W{1})
        , mWeights(mOnes.data(), kINPUTS, columns, 0)
        , mX(activations<X>())
        , mLists(mScratch, kROWS * taps, kINPUTS / taps)
        , mSums(kDENSE_ROWS * mWeights.stride())
    {
    }

    //! The share of places at which listing costs as much as multiplying.
    double breakEven()
    {
        double const list = fastest([&] { listAll(); });
        double const add = fastest([&] { addAll(); });
        double const multiply = fastest([&] { multiplyAll(); });
        double const share = static_cast<double>(mPlaces) / static_cast<double>(kROWS * kINPUTS);
        return share * multiply / (list / static_cast<double>(mTaps) + add) * kCAUTION;
    }

private:
    void listAll()
    {
        int64_t const inputs = kINPUTS / mTaps;
        mPlaces = 0;
        for (int64_t i = 0; i < kROWS * mTaps; ++i)
        {
            mPlaces += Kind::count(mWeights.loops(), mX.data() + i * inputs, inputs).nonZero;
            mWeights.loops().list(mX.data() + i * inputs, inputs, mWeights.stride(), mLists[i]);
        }
    }

    void addAll()
    {
        std::vector<typename Weights<Kind>::ListTap> taps;
        for (int64_t i = 0; i < kROWS * mTaps; ++i)
        {
            taps.push_back({&mLists[i], mWeights.row(i % mTaps * (kINPUTS / mTaps))});
        }
        for (int64_t first = 0; first < mWeights.columns(); first += mWeights.listedTile(first).count)
        {
            for (int64_t row = 0; row < kROWS; ++row)
            {
                mWeights.addListed(taps.data() + row * mTaps, mTaps, mWeights.listedTile(first), mSums.data());
            }
        }
    }

    void multiplyAll()
    {
        X const* rows[kROWS];
        for (int64_t row = 0; row < kROWS; ++row)
        {
            rows[row] = mX.data() + row * kINPUTS;
        }
        for (int64_t first = 0; first < mWeights.columns(); first += mWeights.denseTile(first).count)
        {
            for (int64_t row = 0; row < kROWS; row += kDENSE_ROWS)
            {
                Columns const tile = mWeights.denseTile(first);
                mWeights.multiply(
                    rows + row, kDENSE_ROWS, kHIGHEST, {0, kINPUTS}, tile, mSums.data(), mWeights.stride());
            }
        }
    }

    int64_t mTaps;
    std::vector<typename Kind::W> mOnes;
    Weights<Kind> mWeights;
    std::vector<X> mX;
    Scratch mScratch;
    Lists<Kind> mLists;
    Aligned<typename Kind::Sum> mSums;
    int64_t mPlaces = 0;
};

//! Of the figure that is kept.
template <typename Kind>
std::string nameOf(int64_t columns, int64_t taps)
{
    std::string const kind = std::is_same<Kind, Bytes>::value ? "bytes" : "floats";
    return "break-even/" + kind + "/" + ort::instructionsName() + "/columns=" + std::to_string(columns)
        + "/taps=" + std::to_string(taps);
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
    static std::mutex mutex;
    std::lock_guard<std::mutex> const lock(mutex);
    int64_t const measured = std::min(columns, kMOST_COLUMNS);
    std::string const name = nameOf<Kind>(measured, taps);
    std::optional<double> const known = ort::kept(name);
    if (known && *known >= 0.0 && *known <= 1.0)
    {
        return *known;
    }
    double const share = std::min(Trial<Kind>(measured, taps).breakEven(), 1.0);
    ort::keep(name, share);
    return share;
}

template double breakEven<Bytes>(int64_t columns, int64_t taps);
template double breakEven<Floats>(int64_t columns, int64_t taps);

} // namespace spikehalt
