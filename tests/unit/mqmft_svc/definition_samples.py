"""Definitions of an MFT network, written for these tests from the names of the schemas' elements."""

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
AGENTS = '<sourceAgent agent="QUAY" QMgr="QMHARBOUR"/><destinationAgent agent="SHED" QMgr="QMINLAND"/>'
ORIGINATOR = "<originator><hostName>crane-7</hostName><userID>dana</userID></originator>"
FILE_ITEM = """
<item mode="text" checksumMethod="none">
  <source disposition="delete" recursive="true"><file encoding="IBM-1047" EOL="CRLF">/out/*.txt</file></source>
  <destination type="directory" exist="overwrite"><file encoding="UTF-8">/in</file></destination>
</item>"""
QUEUE_ITEM = """
<item mode="binary" checksumMethod="MD5">
  <source type="queue"><queue useGroups="true" messageWaitTime="30">OUT@QMHARBOUR</queue></source>
  <destination type="queue">
    <queue delimiterType="binary" delimiter="x0A" delimiterPosition="prefix" includeDelimiterInMessage="false"
      setMqProps="true">IN@QMINLAND</queue>
  </destination>
</item>"""
TEMPLATE = f"""<?xml version="1.0" encoding="UTF-8"?>
<transferTemplate id="0b71" version="6.00" {XSI} xsi:noNamespaceSchemaLocation="FileTransfer.xsd">
  <name>EVENING</name>
  <sourceAgentName>QUAY</sourceAgentName><sourceAgentQMgr>QMHARBOUR</sourceAgentQMgr>
  <destinationAgentName>SHED</destinationAgentName><destinationAgentQMgr>QMINLAND</destinationAgentQMgr>
  <fileSpecs>{FILE_ITEM}{QUEUE_ITEM}</fileSpecs>
  <priority>3</priority>
  <job><name>evening run</name></job>
  <metaDataSet>
    <metaData key="com.ibm.wmqfte.JobName">evening run</metaData><metaData key="consignment">K-77</metaData>
  </metaDataSet>
</transferTemplate>"""
SCHEDULE = """
<schedule>
  <submit timebase="source" timezone="Europe/Amsterdam">2031-05-04T21:00</submit>
  <repeat><frequency interval="days">2</frequency><expireCount>9</expireCount></repeat>
</schedule>"""
REQUEST = f"""<request version="4.00" {XSI} xsi:noNamespaceSchemaLocation="FileTransfer.xsd">
  <managedTransfer>{ORIGINATOR}{SCHEDULE}{AGENTS}<transferSet priority="0">{FILE_ITEM}</transferSet></managedTransfer>
</request>"""
SCHEDULES = f"""<schedules version="4.00" size="2" agent="QUAY" {XSI}>
  <managedTransfer id="6">{ORIGINATOR}
    <schedule><submit timebase="UTC" timezone="UTC">2031-05-04T21:00</submit>
      <repeat><frequency interval="weeks">1</frequency><expireTime>2032-05-04T21:00</expireTime></repeat>
      <next>2031-05-11T21:00</next></schedule>
    {AGENTS}<transferSet>{FILE_ITEM}</transferSet></managedTransfer>
  <managedTransfer id="7">{ORIGINATOR}{AGENTS}<transferSet>{QUEUE_ITEM}</transferSet></managedTransfer>
</schedules>"""
FILE_MATCH = "<fileMatch><pattern>*.csv</pattern><exclude>*.tmp</exclude></fileMatch>"
FOLDER = '<directory recursionLevel="2">/out</directory>'
TASK_ITEM = """
<item><source><file>${FilePath}</file></source>
<destination type="file"><file>/in/${FileName}.${suffix}</file></destination></item>"""


def monitor(condition=FILE_MATCH, *, resource=FOLDER, name="watch", more="", item=TASK_ITEM):
    """Return a resource monitor."""
    namespace = "http://www.ibm.com/xmlns/wmqfte/7.0.1/MonitorDefinition"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<monitor:monitor xmlns:monitor="{namespace}" version="5.00" {XSI} xsi:schemaLocation="{namespace} ./Monitor.xsd">
  <name>{name}</name>
  <pollInterval units="seconds">20</pollInterval>
  <batch maxSize="5"/>
  <agent>QUAY</agent>
  <resources>{resource}</resources>
  <triggerMatch><conditions><allOf><condition>{condition}</condition></allOf></conditions></triggerMatch>
  <tasks><task><name/><transfer><request version="4.00"><managedTransfer>{ORIGINATOR}{AGENTS}
    <transferSet>{item}</transferSet></managedTransfer></request></transfer></task></tasks>
  {ORIGINATOR}
  <job><name>found it</name></job>
  <defaultVariables><variable key="suffix">done</variable></defaultVariables>{more}
</monitor:monitor>"""
