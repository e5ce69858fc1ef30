//! TokenMergeSimilar as a TensorRT plugin; see op.yaml for tensors and attributes.
#ifndef SPIKEHALT_TOKEN_MERGE_SIMILAR_PLUGIN_H
#define SPIKEHALT_TOKEN_MERGE_SIMILAR_PLUGIN_H

#include "../tensorrt/plugin_base.h"
#include "token_merge_similar_kernel.h"

namespace spikehalt
{

class TokenMergeSimilarPlugin final : public PluginBase
{
public:
    //! Throws when the threshold is not above 0 and at most 1.
    explicit TokenMergeSimilarPlugin(float threshold);

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
    SpikehaltTokenMergeSimilarParams paramsFor(Dims const& x, Dims const& source) const;

    float mThreshold;
    SpikehaltTokenMergeSimilarParams mParams{};
};

} // namespace spikehalt

#endif
