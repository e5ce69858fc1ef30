//! TokenHalt and TokenHaltSum in ONNX Runtime on a CPU; see op.yaml. Dead tokens are not read.
#include "../onnxruntime/op.h"
#include "../onnxruntime/vectors.h"
#include "halt_attributes.h"
#include "token_halt_math.h"

namespace spikehalt
{
namespace
{

using namespace ort;

constexpr size_t kX = 0;
constexpr size_t kSIZE = 1;
constexpr size_t kHIST = 2;
constexpr size_t kCUM = 3;
constexpr size_t kLIVE = 4;
constexpr size_t kEPSILON = 5;
constexpr size_t kREADOUT = 0;
constexpr size_t kHIST_NEXT = 1;
constexpr size_t kCUM_NEXT = 2;
constexpr size_t kLIVE_NEXT = 3;

//! The tensors of a call; SpikehaltTokenHaltTensors with their checks.
SpikehaltTokenHaltTensors readTensors(Context const& context, Input const& x, Shape const& tokens)
{
    SpikehaltTokenHaltTensors tensors{};
    tensors.x = context.data<float>(kX, x);
    tensors.size = context.data<float>(kSIZE, tokens);
    tensors.hist = context.data<float>(kHIST, tokens);
    tensors.cum = context.data<float>(kCUM, tokens);
    tensors.live = context.data<int32_t>(kLIVE, tokens);
    tensors.epsilon = context.data<float>(kEPSILON, Shape{});
    tensors.histNext = context.output<float>(kHIST_NEXT, tokens);
    tensors.cumNext = context.output<float>(kCUM_NEXT, tokens);
    tensors.liveNext = context.output<int32_t>(kLIVE_NEXT, tokens);
    return tensors;
}

//! Decide over one token; returns its weight in the readout.
float weighToken(SpikehaltTokenHaltParams const& params, SpikehaltTokenHaltTensors const& tensors, int64_t token)
{
    int32_t const live = tensors.live[token];
    float const first = static_cast<float const*>(tensors.x)[token * params.width];
    float const h = live ? haltScore(first, tensors.size[token], params) : 0.0F;
    HaltState const next = haltToken(h, tensors.hist[token], tensors.cum[token], live, tensors.epsilon[0], params);
    tensors.histNext[token] = next.hist;
    tensors.cumNext[token] = next.cum;
    tensors.liveNext[token] = next.live;
    return next.weight;
}

template <bool SUM>
class TokenHaltKernel
{
public:
    static constexpr char const* kNAME = SUM ? "TokenHaltSum" : "TokenHalt";
    static constexpr Port kINPUTS[] = {{"x", Type::kFLOAT}, {"size", Type::kFLOAT}, {"hist", Type::kFLOAT},
        {"cum", Type::kFLOAT}, {"live", Type::kINT32}, {"epsilon", Type::kFLOAT}};
    static constexpr Port kOUTPUTS[] = {{"readout", Type::kFLOAT}, {"hist_next", Type::kFLOAT},
        {"cum_next", Type::kFLOAT}, {"live_next", Type::kINT32}};

    explicit TokenHaltKernel(Attributes const& attributes)
        : mParams(readHaltParams(attributes))
    {
    }

    static void infer(Inference const& inference)
    {
        Dims const x = inference.input(kX);
        if (x.size() < (SUM ? 3 : 2))
        {
            return; // not known, or refused when it runs
        }
        Dims const tokens(x.begin(), x.end() - 1);
        inference.setOutput(kREADOUT, Type::kFLOAT, SUM ? Dims{x[0], x[2]} : x);
        inference.setOutput(kHIST_NEXT, Type::kFLOAT, tokens);
        inference.setOutput(kCUM_NEXT, Type::kFLOAT, tokens);
        inference.setOutput(kLIVE_NEXT, Type::kINT32, tokens);
    }

    void compute(Context const& context) const
    {
        Input const x = context.input(kX);
        size_t const rank = x.shape.rank;
        context.require(rank == 3 || (rank == 2 && !SUM),
            SUM ? "x must have shape [B, K, D]." : "x must have shape [M, D] or [B, K, D].");
        SpikehaltTokenHaltParams params = mParams;
        params.width = x.shape[rank - 1];
        context.require(params.width >= 1, "a token of x must have at least one element.");
        params.images = rank == 3 ? x.shape[0] : 1;
        params.tokens = x.shape[rank - 2];
        SpikehaltTokenHaltTensors tensors = readTensors(context, x, x.shape.part(0, rank - 1));
        Shape const readout = SUM ? Shape{params.images, params.width} : x.shape;
        tensors.readout = context.output<float>(kREADOUT, readout);
        SUM ? sumImages(context, params, tensors) : scaleTokens(context, params, tensors);
    }

private:
    static void scaleTokens(
        Context const& context, SpikehaltTokenHaltParams const& params, SpikehaltTokenHaltTensors const& tensors)
    {
        context.split(params.images * params.tokens, params.width, [&](int64_t, int64_t first, int64_t end) {
            for (int64_t token = first; token < end; ++token)
            {
                float const weight = weighToken(params, tensors, token);
                float* const readout = tensors.readout + token * params.width;
                if (tensors.live[token])
                {
                    float const* const row = static_cast<float const*>(tensors.x) + token * params.width;
                    scaleRow(readout, row, weight, params.width);
                }
                else
                {
                    std::fill_n(readout, params.width, 0.0F);
                }
            }
        });
    }

    static void sumImages(
        Context const& context, SpikehaltTokenHaltParams const& params, SpikehaltTokenHaltTensors const& tensors)
    {
        context.split(params.images, params.tokens * params.width, [&](int64_t, int64_t first, int64_t end) {
            for (int64_t image = first; image < end; ++image)
            {
                float* const readout = tensors.readout + image * params.width;
                std::fill_n(readout, params.width, 0.0F);
                for (int64_t token = image * params.tokens; token < (image + 1) * params.tokens; ++token)
                {
                    float const weight = weighToken(params, tensors, token);
                    if (tensors.live[token])
                    {
                        addScaledRow(readout, static_cast<float const*>(tensors.x) + token * params.width, weight,
                            params.width);
                    }
                }
            }
        });
    }

    SpikehaltTokenHaltParams mParams;
};

} // namespace

ort::CustomOp const* ort::tokenHaltOp()
{
    return Op<TokenHaltKernel<false>>::get();
}

ort::CustomOp const* ort::tokenHaltSumOp()
{
    return Op<TokenHaltKernel<true>>::get();
}

} // namespace spikehalt
