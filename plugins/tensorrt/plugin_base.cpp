#include "plugin_base.h"

#include <algorithm>

namespace spikehalt
{

using nvinfer1::PluginCapabilityType;
using nvinfer1::TensorFormat;

namespace
{

//! The largest shape of every input.
std::vector<Dims> largestOf(DynamicPluginTensorDesc const* inputs, int32_t count)
{
    std::vector<Dims> largest;
    for (int32_t i = 0; i < count; ++i)
    {
        largest.push_back(inputs[i].max);
    }
    return largest;
}

} // namespace

PluginBase::PluginBase(char const* op, int32_t inputs, int32_t outputs)
    : mOp(op)
    , mInputs(inputs)
    , mOutputs(outputs)
    , mTimingKey(std::string(kNAMESPACE) + "::" + op + " " + kVERSION)
{
}

nvinfer1::IPluginCapability* PluginBase::getCapabilityInterface(PluginCapabilityType type) noexcept
{
    switch (type)
    {
    case PluginCapabilityType::kCORE: return static_cast<nvinfer1::IPluginV3OneCore*>(this);
    case PluginCapabilityType::kBUILD: return static_cast<nvinfer1::IPluginV3OneBuild*>(this);
    case PluginCapabilityType::kRUNTIME: return static_cast<nvinfer1::IPluginV3OneRuntime*>(this);
    }
    logError(mOp, "TensorRT asked for a capability that this plugin does not have.");
    return nullptr;
}

nvinfer1::IPluginV3* PluginBase::clone() noexcept
{
    return guarded<nvinfer1::IPluginV3*>(mOp, nullptr, [&] { return copy(); });
}

char const* PluginBase::getPluginName() const noexcept
{
    return mOp;
}

char const* PluginBase::getPluginVersion() const noexcept
{
    return kVERSION;
}

char const* PluginBase::getPluginNamespace() const noexcept
{
    return kNAMESPACE;
}

int32_t PluginBase::configurePlugin(DynamicPluginTensorDesc const* in, int32_t nbInputs,
    DynamicPluginTensorDesc const* out, int32_t nbOutputs) noexcept
{
    return guarded<int32_t>(mOp, -1, [&] {
        require(in != nullptr && out != nullptr, "configurePlugin got no tensors.");
        requireCounts(nbInputs, nbOutputs);
        // getWorkspaceSize cannot say no: sizes without a workspace are refused here.
        workspaceFor(largestOf(in, nbInputs).data());
        return 0;
    });
}

int32_t PluginBase::getOutputDataTypes(DataType* outputTypes, int32_t nbOutputs,
    DataType const* inputTypes, int32_t nbInputs) const noexcept
{
    return guarded<int32_t>(mOp, -1, [&] {
        requireCounts(nbInputs, nbOutputs);
        for (auto const& row : typeTable())
        {
            if (std::equal(inputTypes, inputTypes + nbInputs, row.begin()))
            {
                std::copy(row.begin() + nbInputs, row.end(), outputTypes);
                return 0;
            }
        }
        throw PluginException("no kernel takes inputs of these types; see op.yaml for those there are.");
    });
}

int32_t PluginBase::getOutputShapes(DimsExprs const* inputs, int32_t nbInputs, DimsExprs const*,
    int32_t nbShapeInputs, DimsExprs* outputs, int32_t nbOutputs, IExprBuilder& builder) noexcept
{
    return guarded<int32_t>(mOp, -1, [&] {
        requireCounts(nbInputs, nbOutputs);
        require(nbShapeInputs == 0, "the op has no shape inputs.");
        deduceShapes(inputs, outputs, builder);
        return 0;
    });
}

bool PluginBase::supportsFormatCombination(
    int32_t pos, DynamicPluginTensorDesc const* inOut, int32_t nbInputs, int32_t nbOutputs) noexcept
{
    return guarded<bool>(mOp, false, [&] {
        requireCounts(nbInputs, nbOutputs);
        require(pos >= 0 && pos < nbInputs + nbOutputs, "TensorRT asked about a tensor the op does not have.");
        if (inOut[pos].desc.format != TensorFormat::kLINEAR)
        {
            return false;
        }
        // Only the tensors up to `pos` may be looked at.
        TypeTable const table = typeTable();
        return std::any_of(table.begin(), table.end(), [&](std::vector<DataType> const& row) {
            int32_t i = 0;
            while (i <= pos && inOut[i].desc.type == row[static_cast<size_t>(i)])
            {
                ++i;
            }
            return i > pos;
        });
    });
}

int32_t PluginBase::getNbOutputs() const noexcept
{
    return mOutputs;
}

size_t PluginBase::getWorkspaceSize(DynamicPluginTensorDesc const* inputs, int32_t nbInputs,
    DynamicPluginTensorDesc const*, int32_t nbOutputs) const noexcept
{
    return guarded<size_t>(mOp, 0, [&] {
        requireCounts(nbInputs, nbOutputs);
        return workspaceFor(largestOf(inputs, nbInputs).data());
    });
}

size_t PluginBase::workspaceFor(Dims const*) const
{
    return 0;
}

char const* PluginBase::getTimingCacheID() noexcept
{
    return mTimingKey.c_str();
}

int32_t PluginBase::onShapeChange(
    PluginTensorDesc const* in, int32_t nbInputs, PluginTensorDesc const*, int32_t nbOutputs) noexcept
{
    mHasShapes = false;
    return guarded<int32_t>(mOp, -1, [&] {
        requireCounts(nbInputs, nbOutputs);
        setShapes(in);
        mHasShapes = true;
        return 0;
    });
}

int32_t PluginBase::enqueue(PluginTensorDesc const* inputDesc, PluginTensorDesc const*, void const* const* inputs,
    void* const* outputs, void* workspace, cudaStream_t stream) noexcept
{
    return guarded<int32_t>(mOp, -1, [&] {
        // A clone taken between onShapeChange and enqueue has seen no shapes. As nothing tells it of
        // changes either, it reads them at every launch.
        if (!mHasShapes)
        {
            require(inputDesc != nullptr, "enqueue came without shapes before onShapeChange had accepted any.");
            setShapes(inputDesc);
        }
        int32_t const code = launch({inputs, outputs, workspace, stream});
        if (code != 0)
        {
            logError(mOp, spikehaltErrorString(code));
        }
        return code;
    });
}

nvinfer1::IPluginV3* PluginBase::attachToContext(nvinfer1::IPluginResourceContext*) noexcept
{
    return clone();
}

nvinfer1::PluginFieldCollection const* PluginBase::getFieldsToSerialize() noexcept
{
    return mFields.collection();
}

void PluginBase::requireCounts(int32_t inputs, int32_t outputs) const
{
    require(inputs == mInputs && outputs == mOutputs,
        "the op has " + std::to_string(mInputs) + " inputs and " + std::to_string(mOutputs)
            + " outputs, not " + std::to_string(inputs) + " and " + std::to_string(outputs) + ".");
}

int32_t kernelType(DataType type)
{
    switch (type)
    {
    case DataType::kFLOAT: return kSPIKEHALT_FLOAT32;
    case DataType::kHALF: return kSPIKEHALT_FLOAT16;
    case DataType::kINT8: return kSPIKEHALT_INT8;
    default: throw PluginException("the kernels have float32, float16 and int8 only.");
    }
}

bool isOneElement(Dims const& shape)
{
    return shape.nbDims == 1 && shape.d[0] == 1;
}

bool sameShape(Dims const& a, Dims const& b)
{
    return a.nbDims == b.nbDims && std::equal(a.d, a.d + std::max(a.nbDims, 0), b.d);
}

int64_t volume(Dims const& shape)
{
    int64_t product = 1;
    for (int32_t i = 0; i < shape.nbDims; ++i)
    {
        require(shape.d[i] >= 0, "a size is not known yet in " + show(shape) + ".");
        product *= shape.d[i];
    }
    return product;
}

Dims tail(Dims const& shape, int32_t first)
{
    Dims rest{};
    rest.nbDims = std::max(shape.nbDims - first, 0);
    std::copy(shape.d + first, shape.d + first + rest.nbDims, rest.d);
    return rest;
}

std::string show(Dims const& shape)
{
    std::string text = "[";
    for (int32_t i = 0; i < shape.nbDims; ++i)
    {
        text += (i == 0 ? "" : ", ") + std::to_string(shape.d[i]);
    }
    return text + "]";
}

} // namespace spikehalt
