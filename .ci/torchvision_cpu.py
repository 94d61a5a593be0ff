"""Lets a CUDA-built torchvision be imported beside a CPU-only torch.

The package index serves one torchvision for Linux, built for CUDA. Beside a CPU torch its C++ extension cannot load,
`torchvision::nms` is never declared, and `import torchvision` dies with "operator torchvision::nms does not exist";
fastai, transformers and diffusers go down with it. Declaring the two schemas first is enough for transforms, models
and datasets. `python .ci/torchvision_cpu.py` writes this into the running environment, only where that import fails.
Once there it does nothing where torch has CUDA or ROCm, or where torchvision is a CPU build."""
import sys


class TorchvisionFinder:
    "Stands first on `sys.meta_path`, acts once when torchvision is looked for, and steps aside."
    libraries = []  # a torch Library forgets its operators when it is collected

    def find_spec(self, name, path=None, target=None):
        if name != "torchvision": return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec
        from pathlib import Path
        spec = find_spec("torchvision")
        version = Path(spec.origin).with_name("version.py") if spec and spec.origin else None
        if version is None or not version.exists() or "+cu" not in version.read_text(encoding="utf-8"): return None
        import torch
        if torch.version.cuda or torch.version.hip: return None
        library = torch.library.Library("torchvision", "FRAGMENT")
        for op in ("nms", "qnms"): library.define(f"{op}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        self.libraries.append(library)
        return None


def install():
    "Write this module and the `.pth` that starts it into site-packages, if torchvision cannot be imported without."
    import subprocess
    import sysconfig
    from pathlib import Path
    works = lambda: subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True, text=True)
    if works().returncode == 0: return
    site = Path(sysconfig.get_path("purelib"))
    (site/"torchvision_cpu.py").write_text(Path(__file__).read_text(encoding="utf-8"), encoding="utf-8")
    (site/"torchvision_cpu.pth").write_text("import torchvision_cpu\n")
    after = works()
    if after.returncode: sys.exit(f"torchvision cannot be imported, and not for the known reason:\n{after.stderr}")
    print("torchvision: declared the operators that its CUDA build misses beside a CPU torch")


if __name__ == "__main__": install()
else: sys.meta_path.insert(0, TorchvisionFinder())
