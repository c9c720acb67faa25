"""Makes the stubs of proto/ when a wheel is built; they are not committed."""

from pathlib import Path
from shutil import copyfile

from setuptools import setup
from setuptools.command.build_py import build_py

PROTOS = Path(__file__).resolve().parents[2] / "proto"


class BuildWithStubs(build_py):
    def run(self):
        super().run()
        if not PROTOS.is_dir():
            raise SystemExit(f"no {PROTOS}: build from a checkout of Genzo")
        import google.rpc
        import grpc_tools
        from grpc_tools import protoc

        target = Path(self.build_lib)
        sources = sorted(PROTOS.glob("genzo/v1/*.proto"))
        includes = [
            PROTOS,
            Path(grpc_tools.__file__).parent / "_proto",
            # Holds google/rpc/status.proto.
            Path(google.rpc.__path__[0]).parents[1],
        ]
        status = protoc.main(
            [
                "protoc",
                *(f"--proto_path={folder}" for folder in includes),
                f"--python_out={target}",
                f"--pyi_out={target}",
                f"--grpc_python_out={target}",
                *map(str, sources),
            ]
        )
        if status != 0:
            raise SystemExit("protoc failed")
        (target / "genzo/v1/__init__.py").touch()
        copyfile(
            PROTOS / "genzo/v1/service_config.json",
            target / "genzo/v1/service_config.json",
        )


setup(cmdclass={"build_py": BuildWithStubs})
