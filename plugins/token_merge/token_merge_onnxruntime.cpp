//! TokenMerge in ONNX Runtime on a CPU; see op.yaml. Similarities that nothing asks for are not
//! worked out: those of dead tokens, and of tokens that stay where the sources are given.
#include "../onnxruntime/op.h"
#include "../onnxruntime/vectors.h"
#include "matching.h"

namespace spikehalt
{
namespace
{

using namespace ort;

constexpr size_t kX = 0;
constexpr size_t kSIZE = 1;
constexpr size_t kLIVE = 2;
constexpr size_t kSOURCE = 3;
constexpr size_t kX_NEXT = 0;
constexpr size_t kSIZE_NEXT = 1;
constexpr size_t kLIVE_NEXT = 2;
constexpr size_t kKEEP = 3;
constexpr size_t kSOURCE_OUT = 4;
//! In `source`: choose the sources now.
constexpr int32_t kCHOOSE = -1;

//! Sizes and tensors of a call.
struct Merge : TokenRows
{
    int64_t gamma;
    float const* size;
    int32_t const* source; //!< null: choose
    float* xNext;
    float* sizeNext;
    int32_t* liveNext;
    int32_t* keep;
    int32_t* sourceOut;

    int64_t kept() const { return tokens - gamma; }
};

//! What is left of an image once the matches of its even tokens are known; serves several images.
class Selection
{
public:
    explicit Selection(Merge const& merge)
        : mMerge(merge)
        , mOrder(static_cast<size_t>(merge.evens()))
        , mPlace(static_cast<size_t>(merge.tokens))
    {
    }

    void run(int64_t image, Match const* matches) noexcept
    {
        int32_t* const source = mMerge.sourceOut + image * mMerge.gamma;
        if (mMerge.source == nullptr)
        {
            choose(image, matches, source);
        }
        else
        {
            std::copy_n(mMerge.source + image * mMerge.gamma, mMerge.gamma, source);
        }
        copySurvivors(image, source);
        for (int64_t g = 0; g < mMerge.gamma; ++g)
        {
            add(image, source[g], matches[source[g] / 2].target);
        }
    }

private:
    void choose(int64_t image, Match const* matches, int32_t* source)
    {
        auto const priority = [&](int32_t slot) {
            int32_t const live = mMerge.live[image * mMerge.tokens + 2 * slot];
            return mergePriority(live, matches[slot].similarity, matches[slot].target);
        };
        for (size_t slot = 0; slot < mOrder.size(); ++slot)
        {
            mOrder[slot] = static_cast<int32_t>(slot);
        }
        std::partial_sort(mOrder.begin(), mOrder.begin() + mMerge.gamma, mOrder.end(),
            [&](int32_t a, int32_t b) { return goesBefore(priority(a), a, priority(b), b); });
        std::sort(mOrder.begin(), mOrder.begin() + mMerge.gamma);
        for (int64_t g = 0; g < mMerge.gamma; ++g)
        {
            source[g] = 2 * mOrder[static_cast<size_t>(g)];
        }
    }

    void copySurvivors(int64_t image, int32_t const* source)
    {
        std::fill(mPlace.begin(), mPlace.end(), 0);
        for (int64_t g = 0; g < mMerge.gamma; ++g)
        {
            mPlace[static_cast<size_t>(source[g])] = kGONE;
        }
        int64_t out = image * mMerge.kept();
        for (int64_t position = 0; position < mMerge.tokens; ++position)
        {
            int64_t& place = mPlace[static_cast<size_t>(position)];
            if (place == kGONE)
            {
                continue;
            }
            place = out++;
            std::copy_n(mMerge.row(image, position), mMerge.width, mMerge.xNext + place * mMerge.width);
            mMerge.sizeNext[place] = mMerge.size[image * mMerge.tokens + position];
            mMerge.liveNext[place] = mMerge.live[image * mMerge.tokens + position];
            mMerge.keep[place] = static_cast<int32_t>(position);
        }
    }

    void add(int64_t image, int32_t position, int32_t target)
    {
        if (target == kNO_TARGET || !mMerge.alive(image, position))
        {
            return; // it just disappears
        }
        int64_t const place = mPlace[static_cast<size_t>(target)];
        addRow(mMerge.xNext + place * mMerge.width, mMerge.row(image, position), mMerge.width);
        mMerge.sizeNext[place] = addRounded(mMerge.sizeNext[place], mMerge.size[image * mMerge.tokens + position]);
    }

    static constexpr int64_t kGONE = -1;

    Merge const& mMerge;
    std::vector<int32_t> mOrder; //!< even tokens' slots, the first to merge in front
    std::vector<int64_t> mPlace; //!< where each position goes, or kGONE
};

class TokenMergeKernel
{
public:
    static constexpr char const* kNAME = "TokenMerge";
    static constexpr Port kINPUTS[]
        = {{"x", Type::kFLOAT}, {"size", Type::kFLOAT}, {"live", Type::kINT32}, {"source", Type::kINT32}};
    static constexpr Port kOUTPUTS[] = {{"x_next", Type::kFLOAT}, {"size_next", Type::kFLOAT},
        {"live_next", Type::kINT32}, {"keep", Type::kINT32}, {"source_out", Type::kINT32}};

    explicit TokenMergeKernel(Attributes const& attributes)
        : mGamma(attributes.readInt("gamma", 1, INT32_MAX))
    {
    }

    static void infer(Inference const& inference)
    {
        Dims const x = inference.input(kX);
        int64_t const gamma = inference.attribute("gamma", 0);
        if (x.size() != 3 || gamma < 1)
        {
            return;
        }
        Dim const kept = x[1].scaled(1, -gamma);
        inference.setOutput(kX_NEXT, Type::kFLOAT, {x[0], kept, x[2]});
        inference.setOutput(kSIZE_NEXT, Type::kFLOAT, {x[0], kept});
        inference.setOutput(kLIVE_NEXT, Type::kINT32, {x[0], kept});
        inference.setOutput(kKEEP, Type::kINT32, {x[0], kept});
        inference.setOutput(kSOURCE_OUT, Type::kINT32, {x[0], Dim{gamma, {}}});
    }

    void compute(Context const& context) const
    {
        Merge const merge = read(context);
        std::vector<Match> const matches = matchesOf(context, merge, slotsAsked(merge));
        Selection selection(merge);
        for (int64_t image = 0; image < merge.images; ++image)
        {
            selection.run(image, matches.data() + image * merge.evens());
        }
    }

private:
    Merge read(Context const& context) const
    {
        Input const x = context.input(kX);
        context.requireRank(kX, x.shape, 3, "[B, K, D]");
        Merge merge{};
        merge.images = x.shape[0];
        merge.tokens = x.shape[1];
        merge.width = x.shape[2];
        merge.gamma = mGamma;
        context.require(mGamma <= merge.tokens / 2 && merge.tokens <= INT32_MAX,
            "attribute gamma must be at most half the tokens of x.");
        Shape const tokens{merge.images, merge.tokens};
        merge.x = context.data<float>(kX, x);
        merge.size = context.data<float>(kSIZE, tokens);
        merge.live = context.data<int32_t>(kLIVE, tokens);
        merge.source = readSource(context, merge);
        Shape const kept{merge.images, merge.kept()};
        merge.xNext = context.output<float>(kX_NEXT, Shape{merge.images, merge.kept(), merge.width});
        merge.sizeNext = context.output<float>(kSIZE_NEXT, kept);
        merge.liveNext = context.output<int32_t>(kLIVE_NEXT, kept);
        merge.keep = context.output<int32_t>(kKEEP, kept);
        merge.sourceOut = context.output<int32_t>(kSOURCE_OUT, Shape{merge.images, mGamma});
        return merge;
    }

    //! The sources given, checked, or null.
    static int32_t const* readSource(Context const& context, Merge const& merge)
    {
        Input const input = context.input(kSOURCE);
        auto const* const source = context.data<int32_t>(kSOURCE, input);
        if (input.shape == Shape{1, 1} && source[0] == kCHOOSE)
        {
            return nullptr;
        }
        context.requireShape(kSOURCE, input.shape, Shape{merge.images, merge.gamma});
        std::vector<int64_t> seenIn(static_cast<size_t>(merge.tokens), -1);
        for (int64_t i = 0; i < merge.images * merge.gamma; ++i)
        {
            int32_t const position = source[i];
            int64_t const image = i / merge.gamma;
            bool const even = position >= 0 && position < merge.tokens && position % 2 == 0;
            if (!even || seenIn[static_cast<size_t>(position)] == image)
            {
                context.refuse(kSOURCE, "must hold different even positions below " + std::to_string(merge.tokens)
                        + " for each image, which " + std::to_string(position) + " is not.");
            }
            seenIn[static_cast<size_t>(position)] = image;
        }
        return source;
    }

    //! Which even tokens of all images need a target.
    static std::vector<char> slotsAsked(Merge const& merge)
    {
        std::vector<char> asked(static_cast<size_t>(merge.images * merge.evens()), merge.source == nullptr);
        for (int64_t i = 0; merge.source != nullptr && i < merge.images * merge.gamma; ++i)
        {
            asked[static_cast<size_t>(i / merge.gamma * merge.evens() + merge.source[i] / 2)] = 1;
        }
        for (size_t slot = 0; slot < asked.size(); ++slot)
        {
            auto const index = static_cast<int64_t>(slot);
            asked[slot] &= merge.alive(index / merge.evens(), index % merge.evens() * 2);
        }
        return asked;
    }

    int64_t mGamma;
};

} // namespace

ort::CustomOp const* ort::tokenMergeOp()
{
    return Op<TokenMergeKernel>::get();
}

} // namespace spikehalt
