"settings.ini is the home of the project's metadata; this hands it to setuptools."
from configparser import ConfigParser

from setuptools import find_packages, setup

cfg = ConfigParser(delimiters=["="])
cfg.read("settings.ini", encoding="utf-8")
cfg = cfg["DEFAULT"]
setup(version=cfg["version"], license=cfg["license"], keywords=cfg["keywords"].split(),
      packages=find_packages(include=["loramix_nb*"]), package_data={"loramix_nb": ["assets/**/*"]},
      entry_points={"console_scripts": cfg["console_scripts"].split()},
      install_requires=cfg["requirements"].split(),
      extras_require={k.removesuffix("_requirements"): v.split()
                      for k, v in cfg.items() if k.endswith("_requirements")})
