#include "lif_plugin.h"

#include <algorithm>
#include <utility>

namespace spikehalt
{
namespace
{

constexpr int32_t kINPUTS = 2;
constexpr int32_t kOUTPUTS = 2;
constexpr int32_t kX = 0;
constexpr int32_t kV = 1;
constexpr int32_t kSPIKE = 0;
constexpr int32_t kV_NEXT = 1;

//! onnx.TensorProto data types.
constexpr int32_t kONNX_FLOAT = 1;
constexpr int32_t kONNX_INT8 = 3;
constexpr int32_t kONNX_FLOAT16 = 10;

DataType typeOfSpikes(int32_t onnxType)
{
    switch (onnxType)
    {
    case kONNX_FLOAT: return DataType::kFLOAT;
    case kONNX_FLOAT16: return DataType::kHALF;
    case kONNX_INT8: return DataType::kINT8;
    default:
        throw PluginException("LIF: spike_type must be 1 (float32), 10 (float16) or 3 (int8), not "
            + std::to_string(onnxType) + "; TensorRT plugins cannot write uint8.");
    }
}

} // namespace

LifAttributes LifAttributes::read(FieldReader const& fields)
{
    LifAttributes attributes{fields.readFloat("decay"), fields.readFloat("threshold"),
        fields.readFloat("v_reset", 0.0F), fields.readString("reset", "hard"),
        fields.readInt("spike_type", kONNX_FLOAT), fields.readInt("steps", 1)};
    require(attributes.reset == "hard" || attributes.reset == "soft",
        "LIF: reset must be 'hard' or 'soft', not '" + attributes.reset + "'.");
    require(attributes.steps >= 1, "LIF: steps must be at least 1, not " + std::to_string(attributes.steps) + ".");
    typeOfSpikes(attributes.spikeType);
    return attributes;
}

LifPlugin::LifPlugin(LifAttributes attributes)
    : PluginBase("LIF", kINPUTS, kOUTPUTS)
    , mAttributes(std::move(attributes))
{
    mFields.addFloat("decay", &mAttributes.decay);
    mFields.addFloat("threshold", &mAttributes.threshold);
    mFields.addFloat("v_reset", &mAttributes.vReset);
    mFields.addString("reset", &mAttributes.reset);
    mFields.addInt("spike_type", &mAttributes.spikeType);
    mFields.addInt("steps", &mAttributes.steps);
}

void LifPlugin::addFieldNames(FieldList& names)
{
    names.addFloat("decay");
    names.addFloat("threshold");
    names.addFloat("v_reset");
    names.addString("reset");
    names.addInt("spike_type");
    names.addInt("steps");
}

TypeTable LifPlugin::typeTable() const
{
    DataType const spike = typeOfSpikes(mAttributes.spikeType);
    TypeTable table;
    for (DataType const type : {DataType::kFLOAT, DataType::kHALF})
    {
        table.push_back({type, type, spike, type});
    }
    return table;
}

void LifPlugin::deduceShapes(DimsExprs const* inputs, DimsExprs* outputs, IExprBuilder&) const
{
    DimsExprs const& x = inputs[kX];
    int32_t const first = mAttributes.steps > 1 ? 1 : 0;
    require(x.nbDims >= first, "x needs a leading axis of steps.");
    outputs[kSPIKE] = x;
    outputs[kV_NEXT].nbDims = x.nbDims - first;
    std::copy(x.d + first, x.d + x.nbDims, outputs[kV_NEXT].d);
}

void LifPlugin::setShapes(PluginTensorDesc const* inputs)
{
    Dims const& x = inputs[kX].dims;
    Dims const& v = inputs[kV].dims;
    bool const several = mAttributes.steps > 1;
    require(!several || (x.nbDims >= 1 && x.d[0] == mAttributes.steps),
        "x is " + show(x) + ", but its leading axis must have " + std::to_string(mAttributes.steps) + " steps.");
    Dims const step = tail(x, several ? 1 : 0);
    require(sameShape(v, step) || isOneElement(v), "v must be " + show(step) + " or [1], not " + show(v) + ".");
    mParams.elements = volume(step);
    mParams.steps = mAttributes.steps;
    mParams.type = kernelType(inputs[kX].type);
    mParams.spikeType = kernelType(typeOfSpikes(mAttributes.spikeType));
    mParams.oneState = sameShape(v, step) ? 0 : 1;
    mParams.softReset = mAttributes.reset == "soft" ? 1 : 0;
    mParams.decay = mAttributes.decay;
    mParams.threshold = mAttributes.threshold;
    mParams.vReset = mAttributes.vReset;
}

int32_t LifPlugin::launch(EnqueueTensors const& tensors)
{
    return spikehaltLif(&mParams, tensors.inputs[kX], tensors.inputs[kV], tensors.outputs[kSPIKE],
        tensors.outputs[kV_NEXT], tensors.stream);
}

PluginBase* LifPlugin::copy() const
{
    return new LifPlugin(mAttributes);
}

} // namespace spikehalt
