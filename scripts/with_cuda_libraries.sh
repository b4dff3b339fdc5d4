#!/usr/bin/env bash
# Runs a command with the CUDA libraries that lie in the usual places on its path: scripts/with_cuda_libraries.sh COMMAND…
#
# Those places are /usr/local/cuda and what pip installs, for all users or for this one: cuDNN and NVRTC often lie there alone. What
# LD_LIBRARY_PATH says already comes first.
set -euo pipefail
libraries=$(python3 - <<'PYTHON' 2>/dev/null || true
import glob, os, site, sysconfig
roots = {sysconfig.get_paths()["purelib"], site.getusersitepackages(), *site.getsitepackages()}
print(":".join(sorted({os.path.dirname(f) for r in roots for f in glob.glob(os.path.join(r, "nvidia", "**", "lib", "lib*.so*"), recursive=True)})))
PYTHON
)
export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}${LD_LIBRARY_PATH:+:}/usr/local/cuda/lib64${libraries:+:$libraries}
exec "$@"
