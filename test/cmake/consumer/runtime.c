/* Asks the installed runtime for a model that is not there: linking, loading and errors work. */
#include <ecf8-c/Runtime.h>
#include <ecf8/Version.h>

#include <stdio.h>
#include <string.h>

int main(void) {
  EcfModel *model = NULL;
  if (strcmp(ecf8_version(), ECF8_VERSION_STRING) != 0) {
    fprintf(stderr, "expected version %s, got %s\n", ECF8_VERSION_STRING, ecf8_version());
    return 1;
  }
  if (ecf8_model_load("no-such-model.ecf8", NULL, &model) != ECF8_NOT_FOUND) {
    fprintf(stderr, "expected ECF8_NOT_FOUND, got: %s\n", ecf8_last_error());
    return 1;
  }
  return 0;
}
