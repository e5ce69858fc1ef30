#include "token_merge_similar_plugin.h"

namespace spikehalt
{
namespace
{

constexpr int32_t kINPUTS = 4;
constexpr int32_t kOUTPUTS = 4;
constexpr int32_t kX = 0;
constexpr int32_t kSIZE = 1;
constexpr int32_t kLIVE = 2;
constexpr int32_t kSOURCE = 3;
constexpr int32_t kX_NEXT = 0;
constexpr int32_t kSIZE_NEXT = 1;
constexpr int32_t kLIVE_NEXT = 2;
constexpr int32_t kSOURCE_OUT = 3;

void requireTokens(int64_t tokens)
{
    require(tokens >= 2 && tokens <= kSPIKEHALT_MAX_SIMILAR_TOKENS,
        "2 to " + std::to_string(kSPIKEHALT_MAX_SIMILAR_TOKENS) + " tokens an image, not " + std::to_string(tokens)
            + "; build without plugins to merge more.");
}

} // namespace

TokenMergeSimilarPlugin::TokenMergeSimilarPlugin(float threshold)
    : PluginBase("TokenMergeSimilar", kINPUTS, kOUTPUTS)
    , mThreshold(threshold)
{
    require(threshold > 0.0F && threshold <= 1.0F,
        "TokenMergeSimilar: threshold must be above 0 and at most 1, not " + std::to_string(threshold) + ".");
    mFields.addFloat("threshold", &mThreshold);
}

void TokenMergeSimilarPlugin::addFieldNames(FieldList& names)
{
    names.addFloat("threshold");
}

TypeTable TokenMergeSimilarPlugin::typeTable() const
{
    constexpr DataType kF = DataType::kFLOAT;
    constexpr DataType kH = DataType::kHALF;
    constexpr DataType kI = DataType::kINT32;
    return {{kF, kF, kI, kI, kF, kF, kI, kI}, {kH, kF, kI, kI, kH, kF, kI, kI}};
}

void TokenMergeSimilarPlugin::deduceShapes(DimsExprs const* inputs, DimsExprs* outputs, IExprBuilder&) const
{
    DimsExprs const& x = inputs[kX];
    require(x.nbDims == 3, "x must be [B, K, D], but has " + std::to_string(x.nbDims) + " axes.");
    if (x.d[1]->isConstant())
    {
        requireTokens(x.d[1]->getConstantValue());
    }
    outputs[kX_NEXT] = x;
    for (int32_t const port : {kSIZE_NEXT, kLIVE_NEXT, kSOURCE_OUT})
    {
        outputs[port] = x;
        outputs[port].nbDims = 2;
    }
}

SpikehaltTokenMergeSimilarParams TokenMergeSimilarPlugin::paramsFor(Dims const& x, Dims const& source) const
{
    require(x.nbDims == 3 && volume(x) >= 0, "x must be [B, K, D], not " + show(x) + ".");
    requireTokens(x.d[1]);
    SpikehaltTokenMergeSimilarParams params{};
    params.images = x.d[0];
    params.width = x.d[2];
    params.tokens = static_cast<int32_t>(x.d[1]);
    params.threshold = mThreshold;
    params.oneSource = volume(source) == 1 ? 1 : 0;
    bool const given = source.nbDims == 2 && source.d[0] == x.d[0] && source.d[1] == x.d[1];
    require(params.oneSource || given,
        "source must be [" + std::to_string(x.d[0]) + ", " + std::to_string(x.d[1]) + "] or [1, 1], not "
            + show(source) + ".");
    return params;
}

void TokenMergeSimilarPlugin::setShapes(PluginTensorDesc const* inputs)
{
    Dims const& x = inputs[kX].dims;
    SpikehaltTokenMergeSimilarParams params = paramsFor(x, inputs[kSOURCE].dims);
    params.type = kernelType(inputs[kX].type);
    Dims tokens = x;
    tokens.nbDims = 2;
    for (int32_t const port : {kSIZE, kLIVE})
    {
        Dims const& shape = inputs[port].dims;
        require(sameShape(shape, tokens),
            "input " + std::to_string(port) + " must be " + show(tokens) + ", not " + show(shape) + ".");
    }
    mParams = params;
}

size_t TokenMergeSimilarPlugin::workspaceFor(Dims const* inputs) const
{
    SpikehaltTokenMergeSimilarParams const params = paramsFor(inputs[kX], inputs[kSOURCE]);
    return spikehaltTokenMergeSimilarWorkspace(&params);
}

int32_t TokenMergeSimilarPlugin::launch(EnqueueTensors const& tensors)
{
    auto const ints = [&](int32_t port) { return static_cast<int32_t const*>(tensors.inputs[port]); };
    auto const results = [&](int32_t port) { return static_cast<int32_t*>(tensors.outputs[port]); };
    // TensorRT grants what getWorkspaceSize asked for at the largest sizes, which is never less.
    SpikehaltTokenMergeSimilarTensors const own{tensors.inputs[kX], static_cast<float const*>(tensors.inputs[kSIZE]),
        ints(kLIVE), ints(kSOURCE), tensors.outputs[kX_NEXT], static_cast<float*>(tensors.outputs[kSIZE_NEXT]),
        results(kLIVE_NEXT), results(kSOURCE_OUT), tensors.workspace, spikehaltTokenMergeSimilarWorkspace(&mParams)};
    return spikehaltTokenMergeSimilar(&mParams, &own, tensors.stream);
}

PluginBase* TokenMergeSimilarPlugin::copy() const
{
    return new TokenMergeSimilarPlugin(mThreshold);
}

} // namespace spikehalt
