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
#include <type_traits>
#include <vector>

namespace spikehalt
{
namespace
{

constexpr int64_t kINPUTS = 384;
constexpr int64_t kTAP_INPUTS = 96; //!< where there are several taps
//! Wider layers cost the same for every column.
constexpr int64_t kMOST_COLUMNS = 384;
constexpr uint32_t kEVERY = 3; //!< one activation of so many is not zero: about where the choice is close
constexpr uint32_t kHIGHEST = 4;
constexpr int kREPEATS = 25;
//! Products of floats take long enough to be measured with few rows.
template <typename Kind>
constexpr int64_t kROWS = std::is_same<Kind, Bytes>::value ? kROWS_AT_ONCE : kFEWEST_ROWS;
//! Weights are not in the caches where layers take turns, which costs lists of floats more.
template <typename Kind>
constexpr double kCAUTION = std::is_same<Kind, Bytes>::value ? 1.0 : 0.8;

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
std::vector<X> activations(int64_t count)
{
    std::vector<X> x(static_cast<size_t>(count));
    uint32_t state = 1;
    for (X& each : x)
    {
        state = state * 1664525U + 1013904223U;
        each = static_cast<X>((state >> 16) % kEVERY == 0 ? 1 + (state >> 28) % kHIGHEST : 0);
    }
    return x;
}

//! A batch of rows, of which each part for a tap is a list that other rows share.
template <typename Kind>
class Trial
{
public:
    using X = typename Kind::X;

    Trial(int64_t columns, int64_t taps)
        : mTaps(taps)
        , mTapInputs(taps == 1 ? kINPUTS : kTAP_INPUTS)
        , mOnes(static_cast<size_t>(taps * mTapInputs * columns), typename Kind::W{1})
        , mWeights(mOnes.data(), taps * mTapInputs, columns, 0)
        , mX(activations<X>(kROWS<Kind> * mWeights.inputs()))
        , mLists(mScratch, kROWS<Kind> * taps, mTapInputs)
        , mBatch(mScratch, mWeights, kROWS<Kind>, taps)
    {
    }

    //! The share of places at which listing costs as much as multiplying.
    double breakEven()
    {
        double const list = fastest([&] { listAll(); });
        double const add = fastest([&] { addAll(); });
        double const multiply = fastest([&] { multiplyAll(); });
        double const share = static_cast<double>(mPlaces) / static_cast<double>(mX.size());
        return share * multiply / (list / static_cast<double>(mTaps) + add) * kCAUTION<Kind>;
    }

private:
    void listAll()
    {
        mPlaces = 0;
        for (int64_t i = 0; i < kROWS<Kind> * mTaps; ++i)
        {
            X const* const x = mX.data() + i * mTapInputs;
            mPlaces += Kind::count(mWeights.loops(), x, mTapInputs).nonZero;
            mWeights.list(x, mTapInputs, mLists[i]);
        }
    }

    void addAll()
    {
        mBatch.clear();
        for (int64_t row = 0; row < kROWS<Kind>; ++row)
        {
            mBatch.list(row);
            for (int64_t tap = 0; tap < mTaps; ++tap)
            {
                mBatch.addTap(&mLists[row * mTaps + tap], tap * mTapInputs);
            }
        }
        mBatch.run([](int64_t, Columns const&, auto const*) {});
    }

    void multiplyAll()
    {
        mBatch.clear();
        for (int64_t row = 0; row < kROWS<Kind>; ++row)
        {
            X const* const x = mX.data() + row * mWeights.inputs();
            std::copy(x, x + mWeights.inputs(), mBatch.multiply(row, kHIGHEST));
        }
        mBatch.run([](int64_t, Columns const&, auto const*) {});
    }

    int64_t mTaps;
    int64_t mTapInputs;
    std::vector<typename Kind::W> mOnes;
    Weights<Kind> mWeights;
    std::vector<X> mX;
    Scratch mScratch;
    Lists<Kind> mLists;
    Batch<Kind> mBatch;
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
