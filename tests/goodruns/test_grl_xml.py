"""GRL XML keeps its metadata word for word, refuses what is dangerous, and comes back byte for byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.goodruns.formats import FormatError, grl_xml
from certifier.goodruns.formats.grl_xml import Description, Element
from certifier.lumi import LumiSet, RunLumiMap
from tests.goodruns.test_golden_json import contents

STREAM = Element("Stream", {"Name": "physics_Main", "TotalNumOfEvents": "1000", "NumOfSelectedEvents": "950"})
FILE = """<?xml version="1.0"?>
<!DOCTYPE LumiRangeCollection SYSTEM "http://atlas-runquery.cern.ch/LumiRangeCollection.dtd">
<LumiRangeCollection>
  <NamedLumiRange>
    <Name>PHYS_StandardGRL_All_Good</Name>
    <Version>2.1</Version>
    <Metadata Name="Query">find run 358031-364292 / dq A &amp; B g  </Metadata>
    <Metadata Name="RunList">359918,359872</Metadata>
    <Metadata Name="StreamListInfo">
      <Stream Name="physics_Main" TotalNumOfEvents="1000" NumOfSelectedEvents="950"/>
    </Metadata>
    <LumiBlockCollection>
      <Run PrescaleRD0="8">359918</Run><LBRange Start="560" End="728"/><LBRange Start="69" End="554"/>
    </LumiBlockCollection>
    <LumiBlockCollection><Run>359872</Run><LBRange Start="1" End="4"/><LBRange Start="3" End="9"/></LumiBlockCollection>
  </NamedLumiRange>
</LumiRangeCollection>
"""

# What XML can hold at all.
words = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")) | st.sampled_from("\n\t\r&<>\"'"), max_size=30
)
elements = st.builds(
    Element,
    st.just("Metadata"),
    st.fixed_dictionaries({"Name": words}),
    words,
)


def wrapped(inner: str) -> str:
    return f"<LumiRangeCollection><NamedLumiRange>{inner}</NamedLumiRange></LumiRangeCollection>"


def block(inner: str) -> str:
    return wrapped(f"<LumiBlockCollection><Run>5</Run>{inner}</LumiBlockCollection>")


def test_it_reads_runs_ranges_and_metadata() -> None:
    file = grl_xml.read(FILE)
    assert file.content == RunLumiMap({359918: LumiSet.parse("69-554 560-728"), 359872: LumiSet.parse("1-9")})
    description = file.description
    assert (description.name, description.version) == ("PHYS_StandardGRL_All_Good", "2.1")
    assert [element.attributes["Name"] for element in description.metadata] == ["Query", "RunList", "StreamListInfo"]
    assert description.metadata[0].text == "find run 358031-364292 / dq A & B g  "
    assert description.metadata[2].children == (STREAM,)
    assert description.run_attributes == {359918: {"PrescaleRD0": "8"}}


def test_it_writes_metadata_as_they_were() -> None:
    file = grl_xml.read(FILE)
    again = grl_xml.read(grl_xml.write(file.content, file.description))
    assert again.content == file.content
    assert (again.description.metadata, again.description.run_attributes) == (
        file.description.metadata,
        file.description.run_attributes,
    )


@given(content=contents, name=words, metadata=st.lists(elements, max_size=3))
def test_it_repeats_its_own_files_byte_for_byte(content: RunLumiMap, name: str, metadata: list[Element]) -> None:
    text = grl_xml.write(content, Description(name.strip(), metadata=tuple(metadata)))
    file = grl_xml.read(text.encode())
    assert file.content == content
    kept = Description.from_json(json.loads(json.dumps(file.description.to_json())))
    assert grl_xml.write(file.content, kept) == text
    assert [(element.attributes, element.text) for element in kept.metadata] == [
        (element.attributes, element.text) for element in metadata
    ]


def test_it_joins_several_named_ranges_and_says_so() -> None:
    one = "<NamedLumiRange><Name>one</Name><Version>2.1</Version><LumiBlockCollection><Run>5</Run>"
    two = "<NamedLumiRange><Name>two</Name><LumiBlockCollection><Run>5</Run>"
    end = "</LumiBlockCollection></NamedLumiRange>"
    ranges = f'{one}<LBRange Start="1" End="2"/>{end}{two}<LBRange Start="4" End="5"/>{end}'
    text = f"<LumiRangeCollection>{ranges}</LumiRangeCollection>"
    file = grl_xml.read(text)
    assert file.content == RunLumiMap({5: LumiSet.parse("1-2 4-5")})
    assert file.remarks == ("2 named ranges were joined into one: “one”, “two”.",)


@pytest.mark.parametrize("end", ["", ' End=""', ' End="2147483647"', ' End="4294967294"', ' End="4294967295"'])
def test_it_closes_an_open_range_at_the_end_of_the_run(end: str) -> None:
    text = block(f'<LBRange Start="3"{end}/>')
    assert grl_xml.read(text, {5: 8}.get).content == RunLumiMap({5: LumiSet.parse("3-8")})
    with pytest.raises(FormatError, match="run 5: the range from 3 is open, and the length of this run is not known"):
        grl_xml.read(text)
    assert grl_xml.read(text, {5: 2}.get).content == RunLumiMap()


def test_it_leaves_out_what_it_does_not_know_and_says_so() -> None:
    file = grl_xml.read(block('<StreamsInRun/><LBRange Start="1" End="2"/>'))
    assert file.content.count == 2
    assert "<StreamsInRun> is not part of a good-run list" in file.remarks[0]


BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>
<LumiRangeCollection>&lol2;</LumiRangeCollection>"""
EXTERNAL = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><LumiRangeCollection>&x;</LumiRangeCollection>'
PARAMETER = '<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><LumiRangeCollection/>'


@pytest.mark.parametrize("text", [BOMB, EXTERNAL, PARAMETER])
def test_it_expands_no_entity(text: str) -> None:
    with pytest.raises(FormatError, match="entities and external references are refused and were not expanded"):
        grl_xml.read(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<html/>", "line 1: the root is <html>"),
        ("<LumiRangeCollection>\n<NamedLumiRange>", "line 2: the file ends in the middle of its XML"),
        ("", "half a file"),
        ("<LumiRangeCollection><a></LumiRangeCollection>", "mismatched tag"),
        ("<LumiRangeCollection>&nope;</LumiRangeCollection>", "undefined entity"),
        (FILE + FILE, "junk after document element|not well-formed"),
        (wrapped('<LumiBlockCollection><LBRange Start="1" End="2"/></LumiBlockCollection>'), "needs one <Run>"),
        (wrapped("<LumiBlockCollection><Run>x</Run></LumiBlockCollection>"), "the run number is “x”"),
        (wrapped("<LumiBlockCollection><Run>0</Run></LumiBlockCollection>"), "there is no run 0"),
        (wrapped("<LumiBlockCollection><Run>99999999999</Run></LumiBlockCollection>"), "far too large"),
        (block('\n<LBRange End="2"/>'), "line 2: run 5: a range has no Start"),
        (block('<LBRange Start="4" End="2"/>'), "run 5: .*reversed"),
        (block('<LBRange Start="0" End="2"/>'), "there is no lumisection 0"),
        (block('<LBRange Start="-1" End="2"/>'), "Start is “-1”"),
        (block('<LBRange Start="1" End="1e3"/>'), "End is “1e3”"),
        (block('<LBRange Start="1" End="1000000000"/>'), "above 100000"),
        ("<a>" * 50, "nested more than 20 deep"),
    ],
)
def test_it_names_the_place_of_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        grl_xml.read(text)


def test_it_reads_other_encodings_that_are_declared() -> None:
    text = '<?xml version="1.0" encoding="iso-8859-1"?>' + wrapped("<Name>Prüfung</Name>")
    assert grl_xml.read(text.encode("iso-8859-1")).description.name == "Prüfung"
    with pytest.raises(FormatError, match="unknown encoding: klingon"):
        grl_xml.read(b'<?xml version="1.0" encoding="klingon"?><LumiRangeCollection/>')
