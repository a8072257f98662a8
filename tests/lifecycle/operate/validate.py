"""Validates our documentation by Asterisk's DTD, with the libxml2 that Asterisk
itself uses: validate.py LIBRARY DTD DOCUMENT. Prints what is wrong."""

import ctypes
import sys

xml = ctypes.CDLL(sys.argv[1])
for function in ("xmlReadFile", "xmlParseDTD", "xmlNewValidCtxt"):
    getattr(xml, function).restype = ctypes.c_void_p
xml.xmlReadFile.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int]
xml.xmlParseDTD.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
xml.xmlValidateDtd.argtypes = [ctypes.c_void_p] * 3

document = xml.xmlReadFile(sys.argv[3].encode(), None, 0)
dtd = xml.xmlParseDTD(None, sys.argv[2].encode())
if not document or not dtd:
    sys.exit("unreadable")
valid = xml.xmlValidateDtd(xml.xmlNewValidCtxt(), document, dtd)
print("valid" if valid == 1 else "invalid")
