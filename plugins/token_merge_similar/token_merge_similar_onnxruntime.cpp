//! TokenMergeSimilar in ONNX Runtime on a CPU; see op.yaml. Similarities that nothing asks for are
//! not worked out: those of dead tokens, and of tokens that stay where the sources are given.
#include "../onnxruntime/op.h"
#include "../onnxruntime/vectors.h"
#include "../token_merge/matching.h"

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
constexpr size_t kSOURCE_OUT = 3;
//! In `source`: choose the sources now.
constexpr int32_t kCHOOSE = -1;

//! Sizes and tensors of a call.
struct Merge : TokenRows
{
    float const* size;
    int32_t const* source; //!< null: choose
    float* xNext;
    float* sizeNext;
    int32_t* liveNext;
    int32_t* sourceOut;
};

class TokenMergeSimilarKernel
{
public:
    static constexpr char const* kNAME = "TokenMergeSimilar";
    static constexpr Port kINPUTS[]
        = {{"x", Type::kFLOAT}, {"size", Type::kFLOAT}, {"live", Type::kINT32}, {"source", Type::kINT32}};
    static constexpr Port kOUTPUTS[] = {{"x_next", Type::kFLOAT}, {"size_next", Type::kFLOAT},
        {"live_next", Type::kINT32}, {"source_out", Type::kINT32}};

    explicit TokenMergeSimilarKernel(Attributes const& attributes)
        : mThreshold(attributes.readFloat("threshold"))
    {
    }

    static void infer(Inference const& inference)
    {
        Dims const x = inference.input(kX);
        if (x.size() != 3)
        {
            return;
        }
        Dims const tokens{x[0], x[1]};
        inference.setOutput(kX_NEXT, Type::kFLOAT, x);
        inference.setOutput(kSIZE_NEXT, Type::kFLOAT, tokens);
        inference.setOutput(kLIVE_NEXT, Type::kINT32, tokens);
        inference.setOutput(kSOURCE_OUT, Type::kINT32, tokens);
    }

    void compute(Context const& context) const
    {
        Merge const merge = read(context);
        std::vector<Match> const matches = matchesOf(context, merge, slotsAsked(merge));
        mark(merge, matches);
        copyRows(merge);
        for (int64_t slot = 0; slot < merge.images * merge.evens(); ++slot)
        {
            add(merge, slot / merge.evens(), slot % merge.evens() * 2, matches[static_cast<size_t>(slot)].target);
        }
    }

private:
    Merge read(Context const& context) const
    {
        context.require(mThreshold > 0.0F && mThreshold <= 1.0F, "attribute threshold must be above 0 and at most 1.");
        Input const x = context.input(kX);
        context.requireRank(kX, x.shape, 3, "[B, K, D]");
        Merge merge{};
        merge.images = x.shape[0];
        merge.tokens = x.shape[1];
        merge.width = x.shape[2];
        context.require(merge.tokens >= 2 && merge.tokens <= INT32_MAX, "x must have at least two tokens.");
        Shape const tokens{merge.images, merge.tokens};
        merge.x = context.data<float>(kX, x);
        merge.size = context.data<float>(kSIZE, tokens);
        merge.live = context.data<int32_t>(kLIVE, tokens);
        merge.source = readSource(context, merge);
        merge.xNext = context.output<float>(kX_NEXT, x.shape);
        merge.sizeNext = context.output<float>(kSIZE_NEXT, tokens);
        merge.liveNext = context.output<int32_t>(kLIVE_NEXT, tokens);
        merge.sourceOut = context.output<int32_t>(kSOURCE_OUT, tokens);
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
        context.requireShape(kSOURCE, input.shape, Shape{merge.images, merge.tokens});
        for (int64_t i = 0; i < merge.images * merge.tokens; ++i)
        {
            if (source[i] != 0 && (source[i] != 1 || i % merge.tokens % 2 == 1))
            {
                context.refuse(kSOURCE, "must hold 0 or 1, and 0 at odd positions, which merge nowhere.");
            }
        }
        return source;
    }

    //! Which even tokens of all images need a target.
    static std::vector<char> slotsAsked(Merge const& merge)
    {
        std::vector<char> asked(static_cast<size_t>(merge.images * merge.evens()));
        for (size_t slot = 0; slot < asked.size(); ++slot)
        {
            auto const image = static_cast<int64_t>(slot) / merge.evens();
            int64_t const token = image * merge.tokens + static_cast<int64_t>(slot) % merge.evens() * 2;
            asked[slot] = merge.live[token] != 0 && (merge.source == nullptr || merge.source[token] != 0);
        }
        return asked;
    }

    //! Write the sources.
    void mark(Merge const& merge, std::vector<Match> const& matches) const
    {
        int64_t const tokens = merge.images * merge.tokens;
        if (merge.source != nullptr)
        {
            std::copy_n(merge.source, tokens, merge.sourceOut);
            return;
        }
        std::fill_n(merge.sourceOut, tokens, 0);
        for (size_t slot = 0; slot < matches.size(); ++slot)
        {
            auto const image = static_cast<int64_t>(slot) / merge.evens();
            int64_t const token = image * merge.tokens + static_cast<int64_t>(slot) % merge.evens() * 2;
            merge.sourceOut[token] = isSimilar(matches[slot].similarity, matches[slot].target, mThreshold);
        }
    }

    //! Copy what stays; what merges is a dead zero vector.
    static void copyRows(Merge const& merge)
    {
        std::copy_n(merge.size, merge.images * merge.tokens, merge.sizeNext);
        for (int64_t token = 0; token < merge.images * merge.tokens; ++token)
        {
            bool const gone = merge.sourceOut[token] != 0;
            merge.liveNext[token] = gone ? 0 : merge.live[token];
            float* const row = merge.xNext + token * merge.width;
            if (gone)
            {
                std::fill_n(row, merge.width, 0.0F);
            }
            else
            {
                std::copy_n(merge.x + token * merge.width, merge.width, row);
            }
        }
    }

    static void add(Merge const& merge, int64_t image, int64_t position, int32_t target)
    {
        int64_t const token = image * merge.tokens + position;
        if (merge.sourceOut[token] == 0 || target == kNO_TARGET || !merge.alive(image, position))
        {
            return; // it stays, or just disappears
        }
        int64_t const goal = image * merge.tokens + target;
        addRow(merge.xNext + goal * merge.width, merge.row(image, position), merge.width);
        merge.sizeNext[goal] = addRounded(merge.sizeNext[goal], merge.size[token]);
    }

    float mThreshold;
};

} // namespace

ort::CustomOp const* ort::tokenMergeSimilarOp()
{
    return Op<TokenMergeSimilarKernel>::get();
}

} // namespace spikehalt
