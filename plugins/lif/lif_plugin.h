//! LIF as a TensorRT plugin; see op.yaml for tensors and attributes.
#ifndef SPIKEHALT_LIF_PLUGIN_H
#define SPIKEHALT_LIF_PLUGIN_H

#include "../tensorrt/plugin_base.h"
#include "lif_kernel.h"

namespace spikehalt
{

struct LifAttributes
{
    float decay;
    float threshold;
    float vReset;
    std::string reset;
    int32_t spikeType; //!< as onnx.TensorProto numbers types
    int32_t steps;

    //! Throws when an attribute is missing or out of range.
    static LifAttributes read(FieldReader const& fields);
};

class LifPlugin final : public PluginBase
{
public:
    explicit LifPlugin(LifAttributes attributes);

    static void addFieldNames(FieldList& names);

protected:
    TypeTable typeTable() const override;
    void deduceShapes(DimsExprs const* inputs, DimsExprs* outputs, IExprBuilder& builder) const override;
    void setShapes(PluginTensorDesc const* inputs) override;
    int32_t launch(EnqueueTensors const& tensors) override;
    PluginBase* copy() const override;

private:
    LifAttributes mAttributes;
    SpikehaltLifParams mParams{};
};

} // namespace spikehalt

#endif
