#include "token_halt_plugin.h"

#include <algorithm>

namespace spikehalt
{
namespace
{

constexpr int32_t kINPUTS = 6;
constexpr int32_t kOUTPUTS = 4;
constexpr int32_t kX = 0;
constexpr int32_t kSIZE = 1;
constexpr int32_t kHIST = 2;
constexpr int32_t kCUM = 3;
constexpr int32_t kLIVE = 4;
constexpr int32_t kEPSILON = 5;
constexpr int32_t kREADOUT = 0;
constexpr int32_t kHIST_NEXT = 1;
constexpr int32_t kCUM_NEXT = 2;
constexpr int32_t kLIVE_NEXT = 3;

} // namespace

TokenHaltAttributes TokenHaltAttributes::read(FieldReader const& fields)
{
    TokenHaltAttributes const attributes{
        fields.readFloat("alpha"), fields.readFloat("beta"), fields.readInt("last", 0)};
    require(attributes.last == 0 || attributes.last == 1,
        "TokenHalt: last must be 0 or 1, not " + std::to_string(attributes.last) + ".");
    return attributes;
}

TokenHaltPlugin::TokenHaltPlugin(TokenHaltAttributes attributes, bool sum)
    : PluginBase(sum ? "TokenHaltSum" : "TokenHalt", kINPUTS, kOUTPUTS)
    , mAttributes(attributes)
    , mSum(sum)
{
    mFields.addFloat("alpha", &mAttributes.alpha);
    mFields.addFloat("beta", &mAttributes.beta);
    mFields.addInt("last", &mAttributes.last);
}

void TokenHaltPlugin::addFieldNames(FieldList& names)
{
    names.addFloat("alpha");
    names.addFloat("beta");
    names.addInt("last");
}

TypeTable TokenHaltPlugin::typeTable() const
{
    constexpr DataType kF = DataType::kFLOAT;
    constexpr DataType kI = DataType::kINT32;
    return {{kF, kF, kF, kF, kI, kF, kF, kF, kF, kI}, {DataType::kHALF, kF, kF, kF, kI, kF, kF, kF, kF, kI}};
}

void TokenHaltPlugin::requireRank(int32_t rank) const
{
    require(rank == 3 || (rank == 2 && !mSum),
        std::string("x must be ") + (mSum ? "[B, K, D]" : "[M, D] or [B, K, D]") + ", but has "
            + std::to_string(rank) + " axes.");
}

void TokenHaltPlugin::deduceShapes(DimsExprs const* inputs, DimsExprs* outputs, IExprBuilder&) const
{
    DimsExprs const& x = inputs[kX];
    requireRank(x.nbDims);
    outputs[kREADOUT] = x;
    if (mSum)
    {
        outputs[kREADOUT].nbDims = 2;
        outputs[kREADOUT].d[1] = x.d[2];
    }
    for (int32_t const state : {kHIST_NEXT, kCUM_NEXT, kLIVE_NEXT})
    {
        outputs[state] = x;
        outputs[state].nbDims = x.nbDims - 1;
    }
}

void TokenHaltPlugin::setShapes(PluginTensorDesc const* inputs)
{
    Dims const& x = inputs[kX].dims;
    requireRank(x.nbDims);
    Dims tokens = x;
    tokens.nbDims = x.nbDims - 1;
    for (int32_t const port : {kSIZE, kHIST, kCUM, kLIVE})
    {
        Dims const& shape = inputs[port].dims;
        require(sameShape(shape, tokens),
            "input " + std::to_string(port) + " must be " + show(tokens) + ", not " + show(shape) + ".");
    }
    require(volume(inputs[kEPSILON].dims) == 1, "epsilon must be one value.");
    mParams.images = x.nbDims == 3 ? x.d[0] : 1;
    mParams.tokens = x.d[x.nbDims - 2];
    mParams.width = x.d[x.nbDims - 1];
    mParams.type = kernelType(inputs[kX].type);
    mParams.last = mAttributes.last;
    mParams.alpha = mAttributes.alpha;
    mParams.beta = mAttributes.beta;
}

int32_t TokenHaltPlugin::launch(EnqueueTensors const& tensors)
{
    auto const floats = [&](int32_t port) { return static_cast<float const*>(tensors.inputs[port]); };
    auto const results = [&](int32_t port) { return static_cast<float*>(tensors.outputs[port]); };
    SpikehaltTokenHaltTensors const own{tensors.inputs[kX], floats(kSIZE), floats(kHIST), floats(kCUM),
        static_cast<int32_t const*>(tensors.inputs[kLIVE]), floats(kEPSILON), results(kREADOUT),
        results(kHIST_NEXT), results(kCUM_NEXT), static_cast<int32_t*>(tensors.outputs[kLIVE_NEXT])};
    return mSum ? spikehaltTokenHaltSum(&mParams, &own, tensors.stream)
                : spikehaltTokenHalt(&mParams, &own, tensors.stream);
}

PluginBase* TokenHaltPlugin::copy() const
{
    return new TokenHaltPlugin(mAttributes, mSum);
}

} // namespace spikehalt
