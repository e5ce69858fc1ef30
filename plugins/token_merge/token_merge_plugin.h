//! TokenMerge as a TensorRT plugin; see op.yaml for tensors and attributes.
#ifndef SPIKEHALT_TOKEN_MERGE_PLUGIN_H
#define SPIKEHALT_TOKEN_MERGE_PLUGIN_H

#include "../tensorrt/plugin_base.h"
#include "token_merge_kernel.h"

namespace spikehalt
{

class TokenMergePlugin final : public PluginBase
{
public:
    //! Throws when gamma is below 1.
    explicit TokenMergePlugin(int32_t gamma);

    static void addFieldNames(FieldList& names);

protected:
    TypeTable typeTable() const override;
    void deduceShapes(DimsExprs const* inputs, DimsExprs* outputs, IExprBuilder& builder) const override;
    void setShapes(PluginTensorDesc const* inputs) override;
    size_t workspaceFor(Dims const* inputs) const override;
    int32_t launch(EnqueueTensors const& tensors) override;
    PluginBase* copy() const override;

private:
    //! The sizes of a call on x and source of these shapes; throws when they do not fit.
    SpikehaltTokenMergeParams paramsFor(Dims const& x, Dims const& source) const;
    void requireTokens(int64_t tokens) const;

    int32_t mGamma;
    SpikehaltTokenMergeParams mParams{};
};

} // namespace spikehalt

#endif
