//! TokenHalt and TokenHaltSum as TensorRT plugins; see op.yaml for tensors and attributes.
#ifndef SPIKEHALT_TOKEN_HALT_PLUGIN_H
#define SPIKEHALT_TOKEN_HALT_PLUGIN_H

#include "../tensorrt/plugin_base.h"
#include "token_halt_kernel.h"

namespace spikehalt
{

struct TokenHaltAttributes
{
    float alpha;
    float beta;
    int32_t last;

    //! Throws when an attribute is missing or out of range.
    static TokenHaltAttributes read(FieldReader const& fields);
};

class TokenHaltPlugin final : public PluginBase
{
public:
    //! \param sum the op is TokenHaltSum: the readout is summed over the tokens.
    TokenHaltPlugin(TokenHaltAttributes attributes, bool sum);

    static void addFieldNames(FieldList& names);

protected:
    TypeTable typeTable() const override;
    void deduceShapes(DimsExprs const* inputs, DimsExprs* outputs, IExprBuilder& builder) const override;
    void setShapes(PluginTensorDesc const* inputs) override;
    int32_t launch(EnqueueTensors const& tensors) override;
    PluginBase* copy() const override;

private:
    void requireRank(int32_t rank) const;

    TokenHaltAttributes mAttributes;
    bool mSum;
    SpikehaltTokenHaltParams mParams{};
};

} // namespace spikehalt

#endif
