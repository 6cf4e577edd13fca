"""Packs the VS Code extension: `python editors/package.py [FOLDER]` writes FOLDER/jet-VERSION.vsix, here by default.

A .vsix is a zip of the extension's files and two lists of what is in it. This one needs no network and no Node, and the
same files give the same bytes.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

EDITORS = Path(__file__).parent
EXTENSION = EDITORS / "vscode"
LICENSE = EDITORS.parent / "LICENSE"
OLDEST = (1980, 1, 1, 0, 0, 0)
"""The time that every file of the archive is said to be of: a zip knows no earlier one."""

CONTENT_TYPES = """<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
  <Default Extension=".json" ContentType="application/json"/>
  <Default Extension=".md" ContentType="text/markdown"/>
  <Default Extension=".txt" ContentType="text/plain"/>
  <Default Extension=".vsixmanifest" ContentType="text/xml"/>
</Types>
"""


def pack(folder: Path) -> Path:
    """Write the archive into a folder that exists, and give its path."""
    about = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    texts = {"extension.vsixmanifest": _manifest(about), "[Content_Types].xml": CONTENT_TYPES}
    texts["extension/LICENSE.txt"] = LICENSE.read_text(encoding="utf-8")
    for path in sorted(each for each in EXTENSION.rglob("*") if each.suffix in {".json", ".md"}):
        texts[f"extension/{path.relative_to(EXTENSION).as_posix()}"] = path.read_text(encoding="utf-8")
    target = folder / f"{about['name']}-{about['version']}.vsix"
    with zipfile.ZipFile(target, "w") as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name, OLDEST), text.encode(), zipfile.ZIP_DEFLATED)
    return target


def _manifest(about: dict[str, Any]) -> str:
    """What VS Code reads before it unpacks anything."""
    identity = {"Language": "en-US", "Id": about["name"], "Version": about["version"], "Publisher": about["publisher"]}
    attributes = " ".join(f"{name}={quoteattr(str(value))}" for name, value in identity.items())
    return f"""<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity {attributes}/>
    <DisplayName>{escape(str(about["displayName"]))}</DisplayName>
    <Description xml:space="preserve">{escape(str(about["description"]))}</Description>
    <Tags>jet,snippet,__ext_jet</Tags>
    <Categories>{",".join(about["categories"])}</Categories>
    <GalleryFlags>Public</GalleryFlags>
    <Properties>
      <Property Id="Microsoft.VisualStudio.Code.Engine" Value={quoteattr(about["engines"]["vscode"])}/>
      <Property Id="Microsoft.VisualStudio.Code.ExtensionDependencies" Value=""/>
      <Property Id="Microsoft.VisualStudio.Code.ExtensionPack" Value=""/>
      <Property Id="Microsoft.VisualStudio.Code.ExtensionKind" Value="ui,workspace,web"/>
    </Properties>
    <License>extension/LICENSE.txt</License>
  </Metadata>
  <Installation>
    <InstallationTarget Id="Microsoft.VisualStudio.Code"/>
  </Installation>
  <Dependencies/>
  <Assets>
    <Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true"/>
    <Asset Type="Microsoft.VisualStudio.Services.Content.Details" Path="extension/README.md" Addressable="true"/>
    <Asset Type="Microsoft.VisualStudio.Services.Content.License" Path="extension/LICENSE.txt" Addressable="true"/>
  </Assets>
</PackageManifest>
"""


if __name__ == "__main__":
    print(pack(Path(sys.argv[1]) if len(sys.argv) > 1 else EDITORS))
