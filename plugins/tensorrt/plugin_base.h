//! What every plugin of the project does alike: identity, format table, guarded methods.
//!
//! An op derives from PluginBase and writes plain methods that throw; the noexcept methods that
//! TensorRT calls are here, once, and turn what is thrown into a log line and a failure code.
#ifndef SPIKEHALT_PLUGIN_BASE_H
#define SPIKEHALT_PLUGIN_BASE_H

#include "../cuda/kernel_api.h"
#include "fields.h"
#include "guard.h"

#include <NvInferRuntime.h>

#include <string>
#include <vector>

namespace spikehalt
{

constexpr char const* kNAMESPACE = "spikehalt";
constexpr char const* kVERSION = "1";

using nvinfer1::DataType;
using nvinfer1::Dims;
using nvinfer1::DimsExprs;
using nvinfer1::DynamicPluginTensorDesc;
using nvinfer1::IExprBuilder;
using nvinfer1::PluginTensorDesc;

//! The types of all inputs, then all outputs, one row per combination; `op.yaml` lists the same.
using TypeTable = std::vector<std::vector<DataType>>;

//! Tensors of one enqueue, in the order of `op.yaml`.
struct EnqueueTensors
{
    void const* const* inputs;
    void* const* outputs;
    void* workspace;
    void* stream;
};

class PluginBase : public nvinfer1::IPluginV3,
                   public nvinfer1::IPluginV3OneCore,
                   public nvinfer1::IPluginV3OneBuild,
                   public nvinfer1::IPluginV3OneRuntime
{
public:
    PluginBase(char const* op, int32_t inputs, int32_t outputs);
    PluginBase(PluginBase const&) = delete;
    PluginBase& operator=(PluginBase const&) = delete;

    // IPluginV3
    nvinfer1::IPluginCapability* getCapabilityInterface(nvinfer1::PluginCapabilityType type) noexcept final;
    nvinfer1::IPluginV3* clone() noexcept final;

    // IPluginV3OneCore
    char const* getPluginName() const noexcept final;
    char const* getPluginVersion() const noexcept final;
    char const* getPluginNamespace() const noexcept final;

    // IPluginV3OneBuild
    int32_t configurePlugin(DynamicPluginTensorDesc const* in, int32_t nbInputs,
        DynamicPluginTensorDesc const* out, int32_t nbOutputs) noexcept final;
    int32_t getOutputDataTypes(DataType* outputTypes, int32_t nbOutputs, DataType const* inputTypes,
        int32_t nbInputs) const noexcept final;
    int32_t getOutputShapes(DimsExprs const* inputs, int32_t nbInputs, DimsExprs const* shapeInputs,
        int32_t nbShapeInputs, DimsExprs* outputs, int32_t nbOutputs, IExprBuilder& builder) noexcept final;
    bool supportsFormatCombination(int32_t pos, DynamicPluginTensorDesc const* inOut, int32_t nbInputs,
        int32_t nbOutputs) noexcept final;
    int32_t getNbOutputs() const noexcept final;
    size_t getWorkspaceSize(DynamicPluginTensorDesc const* inputs, int32_t nbInputs,
        DynamicPluginTensorDesc const* outputs, int32_t nbOutputs) const noexcept final;
    char const* getTimingCacheID() noexcept final;

    // IPluginV3OneRuntime
    int32_t onShapeChange(PluginTensorDesc const* in, int32_t nbInputs, PluginTensorDesc const* out,
        int32_t nbOutputs) noexcept final;
    int32_t enqueue(PluginTensorDesc const* inputDesc, PluginTensorDesc const* outputDesc,
        void const* const* inputs, void* const* outputs, void* workspace, cudaStream_t stream) noexcept final;
    nvinfer1::IPluginV3* attachToContext(nvinfer1::IPluginResourceContext* context) noexcept final;
    nvinfer1::PluginFieldCollection const* getFieldsToSerialize() noexcept final;

protected:
    //! Type combinations the op takes.
    virtual TypeTable typeTable() const = 0;
    //! Output shapes from input shapes; throws when the inputs do not fit each other.
    virtual void deduceShapes(DimsExprs const* inputs, DimsExprs* outputs, IExprBuilder& builder) const = 0;
    //! Take the sizes of the next launches; throws when they do not fit each other.
    virtual void setShapes(PluginTensorDesc const* inputs) = 0;
    //! Bytes of workspace for inputs of these (largest) sizes.
    virtual size_t workspaceFor(Dims const* inputs) const;
    //! Enqueue the kernel; 0 or an error code of the kernel library.
    virtual int32_t launch(EnqueueTensors const& tensors) = 0;
    //! A new plugin with the same attributes.
    virtual PluginBase* copy() const = 0;

    //! Attributes; the op adds them in its constructor.
    FieldList mFields;

private:
    void requireCounts(int32_t inputs, int32_t outputs) const;

    char const* mOp;
    int32_t mInputs;
    int32_t mOutputs;
    std::string mTimingKey;
    bool mHasShapes{false}; //!< onShapeChange has accepted the shapes of the next launches
};

//! The element type as the kernels number it; throws for a type they do not have.
int32_t kernelType(DataType type);

//! Whether `shape` is exactly [1]: one value for all elements.
bool isOneElement(Dims const& shape);

bool sameShape(Dims const& a, Dims const& b);

//! Product of the dimensions; throws when one is not known.
int64_t volume(Dims const& shape);

//! The dimensions from `first` on.
Dims tail(Dims const& shape, int32_t first);

//! "[2, 3]", for messages.
std::string show(Dims const& shape);

} // namespace spikehalt

#endif
