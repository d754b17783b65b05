#!/bin/sh
# Interesting (exit status 1, as mlir-reduce wants it) is a program that decodes.
! grep -q 'ecf8\.decode' "$1"
