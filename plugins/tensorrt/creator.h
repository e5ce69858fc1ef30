//! One creator class for all ops: the plugin class says what it is called and how it is made.
#ifndef SPIKEHALT_CREATOR_H
#define SPIKEHALT_CREATOR_H

#include "plugin_base.h"

#include <functional>

namespace spikehalt
{

class Creator : public nvinfer1::IPluginCreatorV3One
{
public:
    using Make = std::function<PluginBase*(FieldReader const&)>;

    //! \param addNames adds the op's attribute names to a list.
    //! \param make makes a plugin from its attributes, or throws.
    Creator(char const* op, void (*addNames)(FieldList&), Make make);

    nvinfer1::IPluginV3* createPlugin(char const* name, nvinfer1::PluginFieldCollection const* fields,
        nvinfer1::TensorRTPhase phase) noexcept final;
    nvinfer1::PluginFieldCollection const* getFieldNames() noexcept final;
    char const* getPluginName() const noexcept final;
    char const* getPluginVersion() const noexcept final;
    char const* getPluginNamespace() const noexcept final;

private:
    char const* mOp;
    Make mMake;
    FieldList mNames;
};

//! The creators of all ops. They live as long as the library.
nvinfer1::IPluginCreatorInterface* const* allCreators(int32_t& count);

} // namespace spikehalt

#endif
