"""What engines can be built with: TensorRT and TensorRT-RTX, behind one small interface.

base           what a target is given and what it gives back
network        parsing, profiles and building, the same in both
tensorrt       full TensorRT 10.3 to 11, with the project's plugins
tensorrt_rtx   TensorRT-RTX, no plugins, ahead of time for any compute capability
choose         by name, or "auto" with the reason
"""
