//! Symbols by which TensorRT discovers the plugins of a library it loads itself.
#include "creator.h"

extern "C" SPIKEHALT_API nvinfer1::IPluginCreatorInterface* const* getCreators(int32_t& count)
{
    return spikehalt::guarded<nvinfer1::IPluginCreatorInterface* const*>("getCreators", nullptr, [&] {
        count = 0;
        return spikehalt::allCreators(count);
    });
}

extern "C" SPIKEHALT_API void setLoggerFinder(nvinfer1::ILoggerFinder* finder)
{
    spikehalt::useLoggerOf(finder);
}
