#include "token_merge_plugin.h"

namespace spikehalt
{
namespace
{

constexpr int32_t kINPUTS = 4;
constexpr int32_t kOUTPUTS = 5;
constexpr int32_t kX = 0;
constexpr int32_t kSIZE = 1;
constexpr int32_t kLIVE = 2;
constexpr int32_t kSOURCE = 3;
constexpr int32_t kX_NEXT = 0;
constexpr int32_t kSIZE_NEXT = 1;
constexpr int32_t kLIVE_NEXT = 2;
constexpr int32_t kKEEP = 3;
constexpr int32_t kSOURCE_OUT = 4;

DimsExprs matrix(nvinfer1::IDimensionExpr const* rows, nvinfer1::IDimensionExpr const* columns)
{
    DimsExprs shape{};
    shape.nbDims = 2;
    shape.d[0] = rows;
    shape.d[1] = columns;
    return shape;
}

} // namespace

TokenMergePlugin::TokenMergePlugin(int32_t gamma)
    : PluginBase("TokenMerge", kINPUTS, kOUTPUTS)
    , mGamma(gamma)
{
    require(gamma >= 1, "TokenMerge: gamma must be at least 1, not " + std::to_string(gamma) + ".");
    mFields.addInt("gamma", &mGamma);
}

void TokenMergePlugin::addFieldNames(FieldList& names)
{
    names.addInt("gamma");
}

TypeTable TokenMergePlugin::typeTable() const
{
    constexpr DataType kF = DataType::kFLOAT;
    constexpr DataType kH = DataType::kHALF;
    constexpr DataType kI = DataType::kINT32;
    return {{kF, kF, kI, kI, kF, kF, kI, kI, kI}, {kH, kF, kI, kI, kH, kF, kI, kI, kI}};
}

void TokenMergePlugin::requireTokens(int64_t tokens) const
{
    require(tokens <= kSPIKEHALT_MAX_MERGE_TOKENS,
        "at most " + std::to_string(kSPIKEHALT_MAX_MERGE_TOKENS) + " tokens an image, not " + std::to_string(tokens)
            + "; build without plugins to merge more.");
    require(mGamma <= tokens / 2,
        "gamma is " + std::to_string(mGamma) + ", but " + std::to_string(tokens) + " tokens allow at most "
            + std::to_string(tokens / 2) + ".");
}

void TokenMergePlugin::deduceShapes(DimsExprs const* inputs, DimsExprs* outputs, IExprBuilder& builder) const
{
    DimsExprs const& x = inputs[kX];
    require(x.nbDims == 3, "x must be [B, K, D], but has " + std::to_string(x.nbDims) + " axes.");
    nvinfer1::IDimensionExpr const* const gamma = builder.constant(mGamma);
    require(gamma != nullptr, "the expression builder gave no constant.");
    nvinfer1::IDimensionExpr const* kept = nullptr;
    if (x.d[1]->isConstant())
    {
        requireTokens(x.d[1]->getConstantValue());
        kept = builder.constant(x.d[1]->getConstantValue() - mGamma);
    }
    else
    {
        kept = builder.operation(nvinfer1::DimensionOperation::kSUB, *x.d[1], *gamma);
    }
    outputs[kX_NEXT] = x;
    outputs[kX_NEXT].d[1] = kept;
    for (int32_t const port : {kSIZE_NEXT, kLIVE_NEXT, kKEEP})
    {
        outputs[port] = matrix(x.d[0], kept);
    }
    outputs[kSOURCE_OUT] = matrix(x.d[0], gamma);
}

SpikehaltTokenMergeParams TokenMergePlugin::paramsFor(Dims const& x, Dims const& source) const
{
    require(x.nbDims == 3 && volume(x) >= 0, "x must be [B, K, D], not " + show(x) + ".");
    requireTokens(x.d[1]);
    SpikehaltTokenMergeParams params{};
    params.images = x.d[0];
    params.width = x.d[2];
    params.tokens = static_cast<int32_t>(x.d[1]);
    params.gamma = mGamma;
    params.oneSource = volume(source) == 1 ? 1 : 0;
    bool const given = source.nbDims == 2 && source.d[0] == x.d[0] && source.d[1] == mGamma;
    require(params.oneSource || given,
        "source must be [" + std::to_string(x.d[0]) + ", " + std::to_string(mGamma) + "] or [1, 1], not " + show(source)
            + ".");
    return params;
}

void TokenMergePlugin::setShapes(PluginTensorDesc const* inputs)
{
    Dims const& x = inputs[kX].dims;
    SpikehaltTokenMergeParams params = paramsFor(x, inputs[kSOURCE].dims);
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

size_t TokenMergePlugin::workspaceFor(Dims const* inputs) const
{
    SpikehaltTokenMergeParams const params = paramsFor(inputs[kX], inputs[kSOURCE]);
    return spikehaltTokenMergeWorkspace(&params);
}

int32_t TokenMergePlugin::launch(EnqueueTensors const& tensors)
{
    auto const ints = [&](int32_t port) { return static_cast<int32_t const*>(tensors.inputs[port]); };
    auto const results = [&](int32_t port) { return static_cast<int32_t*>(tensors.outputs[port]); };
    // TensorRT grants what getWorkspaceSize asked for at the largest sizes, which is never less.
    SpikehaltTokenMergeTensors const own{tensors.inputs[kX], static_cast<float const*>(tensors.inputs[kSIZE]),
        ints(kLIVE), ints(kSOURCE), tensors.outputs[kX_NEXT], static_cast<float*>(tensors.outputs[kSIZE_NEXT]),
        results(kLIVE_NEXT), results(kKEEP), results(kSOURCE_OUT), tensors.workspace,
        spikehaltTokenMergeWorkspace(&mParams)};
    return spikehaltTokenMerge(&mParams, &own, tensors.stream);
}

PluginBase* TokenMergePlugin::copy() const
{
    return new TokenMergePlugin(mGamma);
}

} // namespace spikehalt
